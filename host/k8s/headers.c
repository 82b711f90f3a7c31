/* The headers that say who asks. */
#include "k8s/headers.h"

#include "data/base64.h"
#include "data/value.h"

void tl_headers_add(tl_header_list *list, const char *name, const char *value)
{
    if (value && list->count < sizeof list->items / sizeof *list->items)
        list->items[list->count++] = (tl_header){name, value};
}

static const char *basic(const tl_credential *credential, tl_arena *arena)
{
    tl_buf plain = TL_BUF_INIT(SIZE_MAX), text = TL_BUF_INIT(SIZE_MAX);
    tl_buf_addf(&plain, "%s:%s", credential->username, credential->password ? credential->password : "");
    tl_buf_adds(&text, "Basic ");
    tl_base64_encode(&text, plain.data, plain.len, TL_BASE64_STD);
    const char *value = tl_arena_strndup(arena, text.data, text.len);
    tl_cleanse(plain.data, plain.len);
    tl_cleanse(text.data, text.len);
    tl_buf_dispose(&plain);
    tl_buf_dispose(&text);
    return value;
}

void tl_headers_add_identity(tl_header_list *list, const tl_kube_auth *auth, const tl_credential *credential,
                             tl_arena *arena)
{
    if (credential->token)
        tl_headers_add(list, "Authorization", tl_arena_printf(arena, "Bearer %s", credential->token));
    else if (credential->username)
        tl_headers_add(list, "Authorization", basic(credential, arena));
    tl_headers_add(list, "Impersonate-User", auth->as);
    tl_headers_add(list, "Impersonate-Uid", auth->as_uid);
    for (size_t i = 0; auth->as_groups && i < auth->as_groups->len; i++)
        tl_headers_add(list, "Impersonate-Group", tl_value_text(arena, &auth->as_groups->items[i], NULL));
    uint32_t cursor = 0;
    tl_entry *entry;
    while (auth->as_extra && (entry = tl_map_next(auth->as_extra, &cursor))) {
        if (entry->value.type != TL_LIST) continue;
        const char *name = tl_arena_printf(arena, "Impersonate-Extra-%s", entry->key);
        for (size_t i = 0; i < entry->value.as.list->len; i++)
            tl_headers_add(list, name, tl_value_text(arena, &entry->value.as.list->items[i], NULL));
    }
}
