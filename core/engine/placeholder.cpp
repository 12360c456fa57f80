namespace lens { const char *enginePlaceholder(); const char *enginePlaceholder() { return ""; } }
