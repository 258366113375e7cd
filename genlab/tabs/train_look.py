"""How the Train tab looks, beside what `theme` says of all tabs."""

CSS = """
.stage { display: flex; flex-wrap: wrap; gap: 12px; min-height: 400px; }
.stage-empty { min-height: 400px; display: grid; place-items: center; border-radius: 12px; padding: 20px;
  background: var(--background-fill-secondary); color: var(--body-text-color-subdued); text-align: center; }
.lane { flex: 1 1 250px; max-width: 380px; margin: 0; }
@media (min-width: 769px) {
  .lane:only-child { max-width: none; display: grid; align-content: start; column-gap: 16px;
    grid-template-columns: minmax(0, 380px) minmax(0, 1fr); grid-template-rows: auto auto auto 1fr; }
  .lane:only-child > :first-child { grid-row: 1 / span 5; }
}
.lane .stage-empty { min-height: 250px; }
.lane figcaption { font-size: .9rem; padding-top: 4px; min-height: 3em; }
.plane, .lane .sheet { display: block; width: 100%; border-radius: 10px; background: #eef1f0; margin: 0; }
.lane .sheet { background: #10161d; image-rendering: pixelated; }
.plane path, .draw path { fill: none; stroke-linecap: round; stroke-width: .012; }
.plane .real { stroke: #5d6b66; stroke-width: .008; }
.plane .made, .draw .made { stroke: #a31b1b; }
.lane .alarm { margin: 4px 0; padding: 6px 10px; border-radius: 8px; border-inline-start: 5px solid #c77700;
  background: var(--background-fill-secondary); font-size: .88rem; }
.latents p { margin: 4px 0; font-size: .86rem; color: var(--body-text-color-subdued); }
.latents svg { width: 100%; height: 64px; display: block; background: var(--background-fill-secondary);
  border-radius: 6px; }
.latents .on { fill: var(--primary-600); } .latents .off { fill: var(--neutral-500); }
.dark .latents .on { fill: var(--primary-300); }
#train-pad .draw { aspect-ratio: 1; max-width: 340px; border-radius: 12px; cursor: crosshair; touch-action: none;
  background: #eef1f0; border: 1px solid var(--neutral-400); user-select: none; }
#train-pad .draw svg { display: block; width: 100%; height: 100%; }
#train-pad .spot { fill: none; stroke: #0b6560; stroke-width: .006; }
#train-pad .draw:focus-visible { outline: 3px solid var(--primary-600); outline-offset: 3px; }
#train-told { flex: 6 1 300px; align-self: center; min-width: 0; }
.draw-foot { display: flex; justify-content: space-between; align-items: center; max-width: 340px; padding: 6px 2px;
  font-size: .9rem; }
.draw-foot button { border: 1px solid var(--button-secondary-border-color); border-radius: 10px; padding: 4px 14px;
  min-height: 32px; background: var(--button-secondary-background-fill); color: var(--button-secondary-text-color);
  cursor: pointer; }
"""
