/* A broker that does nothing until it is ended: it shows that a device was found and given to a Pod. */
#include <time.h>

int main(void) {
    const struct timespec hour = {.tv_sec = 3600};
    for (;;) nanosleep(&hour, NULL);
}
