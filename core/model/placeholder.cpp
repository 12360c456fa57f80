namespace lens { const char *modelPlaceholder(); const char *modelPlaceholder() { return ""; } }
