"""What a visitor wants to do, one file each. The only place, with app.py, that knows gradio."""
