#ifndef TL_K8S_OBJECT_H
#define TL_K8S_OBJECT_H

#include "data/value.h"

/* Removes metadata.managedFields: half of a small object, which only few readers want. */
void tl_k8s_object_drop_managed_fields(const tl_value *object);

#endif
