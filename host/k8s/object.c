/* What all objects have. */
#include "k8s/object.h"

#include <string.h>

void tl_k8s_object_drop_managed_fields(const tl_value *object)
{
    const tl_value *meta = tl_value_path(object, "metadata", NULL);
    if (meta && meta->type == TL_MAP) tl_map_delete(meta->as.map, "managedFields", strlen("managedFields"));
}
