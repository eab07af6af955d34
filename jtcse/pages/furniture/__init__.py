"""What all pages share: style, tables, sentences."""
