/* The certificate that genCA and its relatives give. */
#include "template/internal.h"

const tl_object_type tl_certificate_type = {"sprig.certificate", TL_KIND_STRUCT, NULL, NULL, NULL};
