namespace lens { const char *checkpointPlaceholder(); const char *checkpointPlaceholder() { return ""; } }
