// Placeholder: the template engine's RE2 binding lands here.
extern "C" int tl_regex_placeholder(void) { return 0; }
