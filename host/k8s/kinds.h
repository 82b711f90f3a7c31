#ifndef TL_K8S_KINDS_H
#define TL_K8S_KINDS_H

/* Where the built-in kinds live, so that a script which touches Deployments fetches the list of apps/v1 and nothing
 * else. A hint only: the server's answer decides. NULL where the name is none of them; `name` in lower case. */
typedef struct tl_kind_hint {
    const char *group, *version;
    const char *names; /* " kind plural short " between spaces */
} tl_kind_hint;

const tl_kind_hint *tl_kind_hint_of(const char *name);
/* The usual version of a built-in group, or NULL. */
const char *tl_kind_hint_version(const char *group);

#endif
