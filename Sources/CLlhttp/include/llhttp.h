// The parser's own header; this name is what its sources include.
#include "/usr/share/include/llhttp/llhttp.h"
