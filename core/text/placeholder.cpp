namespace lens { const char *textPlaceholder(); const char *textPlaceholder() { return ""; } }
