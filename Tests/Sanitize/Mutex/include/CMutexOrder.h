// Nothing to call: what is in mutex.c takes the place of functions of the Swift library.
