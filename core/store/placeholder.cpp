namespace lens { const char *storePlaceholder(); const char *storePlaceholder() { return ""; } }
