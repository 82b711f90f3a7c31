#ifndef TL_CHART_PATH_MATCH_H
#define TL_CHART_PATH_MATCH_H

/* Go's filepath.Match: 1 match, 0 no match, -1 malformed pattern. Neither * nor ? crosses a slash. */
int tl_path_match(const char *pattern, const char *name);

#endif
