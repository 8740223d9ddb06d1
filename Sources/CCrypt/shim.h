#ifndef ONESHOT_CCRYPT_SHIM_H
#define ONESHOT_CCRYPT_SHIM_H

#include <crypt.h>

#endif
