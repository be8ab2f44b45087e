/* The debug echo broker: says which device it was given, and stays. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(void) {
    const char *device = getenv("DEBUG_ECHO_DESCRIPTION");
    if (device == NULL) {
        fputs("DEBUG_ECHO_DESCRIPTION is not set: this Pod was given no debugEcho device\n", stderr);
        return 1;
    }
    printf("Pod is running and using debugEcho device named: %s\n", device);
    fflush(stdout);

    const struct timespec hour = {.tv_sec = 3600};
    for (;;) nanosleep(&hour, NULL);
}
