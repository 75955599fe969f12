"""What an optimizer keeps, one idea a file: variables and slots, and every way to save, copy and restore them."""
