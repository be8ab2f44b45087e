/* A discovery handler for Akri's debug echo devices that needs nothing but files, so that it can be a Wasm module.
 *
 * In its directory it reads in.in, {"descriptions":["foo0"]}, and answers with out.out, one device for each
 * description. It answers each time in.in is written (even with the same content: that is how the proxy asks again)
 * and each time debug-echo-availability.txt begins or ceases to contain OFFLINE; offline the answer has no devices.
 * out.out is written whole, under another name first. The answer to an in.in that asks for something else is
 * {"error":"..."}; one that cannot be read, or that ends too early, changes nothing.
 */
#include "json.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define DIRECTORY "/tmp/wde-dir"
#define INPUT DIRECTORY "/in.in"
#define OUTPUT DIRECTORY "/out.out"
#define OUTPUT_UNFINISHED DIRECTORY "/out.out.tmp"
#define AVAILABILITY DIRECTORY "/debug-echo-availability.txt"

/* A pass costs a wasmtime host 0.3 ms, most of it for waking up: five a second are 0.15 % of a core. */
static const struct timespec PERIOD = {.tv_nsec = 200 * 1000 * 1000};

/* What tells one version of a file from the next without reading it. */
typedef struct {
    bool exists;
    ino_t inode;
    off_t size;
    struct timespec modified;
} Version;

typedef struct {
    Version input;
    Version availability;
    TextList descriptions;
    const char *objection; /* why there is no answer to in.in, if there is none */
    bool asked;            /* an in.in was read to its end */
    bool offline;
    bool unanswered;       /* out.out has yet to say what is known */
} Handler;

static Version version_of(const char *path) {
    struct stat status;
    if (stat(path, &status) != 0) return (Version){0};
    return (Version){true, status.st_ino, status.st_size, status.st_mtim};
}

static bool same(const Version *one, const Version *other) {
    return one->exists == other->exists && one->inode == other->inode && one->size == other->size &&
           one->modified.tv_sec == other->modified.tv_sec && one->modified.tv_nsec == other->modified.tv_nsec;
}

/* Looks whether a file is another one than before, and remembers what it is now. */
static bool changed(const char *path, Version *known) {
    Version now = version_of(path);
    if (same(&now, known)) return false;
    *known = now;
    return true;
}

static bool read_file(const char *path, Text *content) {
    text_clear(content);
    FILE *file = fopen(path, "r");
    if (file == NULL) return false;
    char chunk[4096];
    size_t count;
    while ((count = fread(chunk, 1, sizeof chunk, file)) > 0) text_append(content, chunk, count);
    bool complete = !ferror(file);
    fclose(file);
    return complete;
}

static bool write_file(const char *path, const char *content) {
    FILE *file = fopen(path, "w");
    if (file == NULL) return false;
    bool written = fputs(content, file) >= 0;
    return fclose(file) == 0 && written;
}

static void render_objection(const char *objection, Text *out) {
    text_append_string(out, "{\"error\":");
    json_append_string(out, objection);
    text_append_string(out, "}");
}

static void render_devices(const Handler *handler, Text *out) {
    size_t count = handler->offline ? 0 : handler->descriptions.count;
    text_append_string(out, "{\"devices\":[");
    for (size_t index = 0; index < count; index++) {
        const char *description = handler->descriptions.items[index].data;
        text_append_string(out, index == 0 ? "{\"id\":" : ",{\"id\":");
        json_append_string(out, description);
        text_append_string(out, ",\"properties\":{\"DEBUG_ECHO_DESCRIPTION\":");
        json_append_string(out, description);
        text_append_string(out, "},\"mounts\":[],\"device_specs\":[]}");
    }
    text_append_string(out, "]}");
}

/* An answer that cannot be written (a full disk) is said once and tried again in the next pass. */
static void answer(Handler *handler) {
    static bool complained = false;
    Text out = {0};
    if (handler->objection != NULL) {
        render_objection(handler->objection, &out);
    } else {
        render_devices(handler, &out);
    }
    bool written = write_file(OUTPUT_UNFINISHED, out.data) && rename(OUTPUT_UNFINISHED, OUTPUT) == 0;
    if (written) {
        printf("output: %s\n", out.data);
        handler->unanswered = false;
    } else if (!complained) {
        fprintf(stderr, "Cannot write %s: %s\n", OUTPUT, strerror(errno));
    }
    complained = !written;
    text_free(&out);
}

static void read_input(Handler *handler) {
    if (!handler->input.exists) {
        puts("Input not specified yet!");
        return;
    }
    Text content = {0};
    bool unfinished = true;
    const char *error = read_file(INPUT, &content)
                            ? json_read_descriptions(content.data, &handler->descriptions, &unfinished)
                            : strerror(errno);
    if (error != NULL) fprintf(stderr, "Cannot use %s: %s\n", INPUT, error);
    if (error == NULL || !unfinished) {
        handler->objection = error;
        handler->asked = handler->unanswered = true;
    }
    text_free(&content);
}

static void read_availability(Handler *handler) {
    Text content = {0};
    read_file(AVAILABILITY, &content); /* a missing file counts as online */
    bool offline = strstr(content.data, "OFFLINE") != NULL;
    if (offline != handler->offline) handler->unanswered = true;
    handler->offline = offline;
    text_free(&content);
}

static void pass(Handler *handler) {
    if (changed(INPUT, &handler->input)) read_input(handler);
    if (changed(AVAILABILITY, &handler->availability)) read_availability(handler);
    if (handler->asked && handler->unanswered) answer(handler);
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    puts("Wasi Debug Echo is up and running :)");
    if (!version_of(DIRECTORY).exists) {
        fputs("There is no " DIRECTORY ": mount the handler's directory there\n", stderr);
        return 1;
    }
    /* A device that was unplugged stays unplugged when its handler restarts. */
    if (!version_of(AVAILABILITY).exists) write_file(AVAILABILITY, "ONLINE");

    Handler handler = {0};
    if (!version_of(INPUT).exists) read_input(&handler);
    for (;;) {
        pass(&handler);
        nanosleep(&PERIOD, NULL);
    }
}
