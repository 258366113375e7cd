"""Accessible names that Gradio's own components leave out, put in as the page changes."""

# Thumbnails are called "Thumbnail 3 of 16" whatever their caption says, empty frames have a name but no role, a text
# box with a copy button gives its label to the button, what scrolls sideways cannot be reached by keyboard, and a place
# to drop files is called otherwise than what is written on it.
SCRIPT = """
() => {
  const mend = () => {
    for (const button of document.querySelectorAll('button.thumbnail-item')) {
      const caption = button.querySelector('.caption-label');
      const words = caption ? caption.textContent.trim() : '';
      const place = (button.getAttribute('aria-label') || '').match(/Thumbnail \\\\d+ of \\\\d+/);
      const name = words && place ? words + ', ' + place[0].toLowerCase() : null;
      const kept = button.dataset.named;
      if (name && kept !== name) { button.setAttribute('aria-label', name); button.dataset.named = name; }
      const image = button.querySelector('img');
      if (name && image && image.alt) image.alt = '';
    }
    for (const area of document.querySelectorAll('.command textarea')) {
      const title = area.closest('label').querySelector('[data-testid="block-info"]');
      if (title && !area.ariaLabel) area.setAttribute('aria-label', title.textContent.trim());
      if (area.disabled) { area.disabled = false; area.readOnly = true; }
    }
    for (const wide of document.querySelectorAll('.card-text pre, .card-text table')) {
      if (wide.scrollWidth > wide.clientWidth && !wide.hasAttribute('tabindex')) wide.tabIndex = 0;
    }
    for (const button of document.querySelectorAll('button.upload-container[aria-label]')) {
      const words = button.textContent.trim().replace(/\\s+/g, ' ');
      if (words && !button.ariaLabel.includes(words)) button.setAttribute('aria-label', words);
    }
    for (const empty of document.querySelectorAll('div.empty[aria-label]:not([role])')) {
      empty.setAttribute('role', 'img');
    }
  };
  let waiting = false;
  new MutationObserver(() => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; mend(); });
  }).observe(document.body, {childList: true, subtree: true, characterData: true,
                             attributes: true, attributeFilter: ['aria-label', 'alt', 'disabled']});
  mend();
}
""".replace("\\\\", "\\")
