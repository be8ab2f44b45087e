/* The broker of an HTTP device: reads its device every INTERVAL_SECONDS (10) and prints what it answered.
 *
 * It prints one line a reading: "http device URL value 42.17", or "http device URL failed: CAUSE". A value is one word;
 * a device that fails is asked again, for ever. Without a device it ends with status 1.
 */
#include "http.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

extern char **environ;

#define ENDPOINT "AKRI_HTTP_DEVICE_ENDPOINT"
#define INTERVAL "INTERVAL_SECONDS"
#define LONGEST_INTERVAL 86400
#define METHOD "GET"
#define OK 200

/* A value, the white space around it, and one byte more to see that an answer is too long. */
#define ANSWER_SIZE 128

/* Agents of Akri 0.13 put the Instance's hash behind a name, or give both; older ones give the name alone. */
static const char *device(void) {
    const char *plain = getenv(ENDPOINT);
    if (plain != NULL) return plain;
    const size_t length = strlen(ENDPOINT "_");
    for (char **variable = environ; *variable != NULL; variable++) {
        const char *value = strchr(*variable, '=');
        if (value != NULL && strncmp(*variable, ENDPOINT "_", length) == 0) return value + 1;
    }
    return NULL;
}

/* Seconds between readings, or 0 when the variable is no such number. */
static time_t interval(void) {
    const char *text = getenv(INTERVAL);
    if (text == NULL) return 10;
    char *end;
    const unsigned long seconds = strtoul(text, &end, 10);
    return isdigit((unsigned char)*text) && *end == '\0' && seconds <= LONGEST_INTERVAL ? (time_t)seconds : 0;
}

static void say(const char *url, const char *what, const char *how) {
    const char *const parts[] = {"http device ", url, what, how, "\n"};
    for (size_t index = 0; index < sizeof parts / sizeof *parts; index++) fputs(parts[index], stdout);
    fflush(stdout);
}

/* A status of HTTP has three digits. */
static void say_status(const char *url, uint16_t status) {
    const char text[] = {'s', 't', 'a', 't', 'u', 's', ' ', '0' + status / 100 % 10, '0' + status / 10 % 10,
                         '0' + status % 10, '\0'};
    say(url, " failed: ", text);
}

/* Reads as much of a body as fits. */
static HttpError read_body(uint32_t handle, char *buffer, size_t size, size_t *length) {
    *length = 0;
    for (size_t count; *length < size; *length += count) {
        const HttpError error = http_read(handle, buffer + *length, size - *length, &count);
        if (error != 0 || count == 0) return error;
    }
    return 0;
}

/* Cuts the white space around an answer off; NULL when what remains is not one word. */
static const char *one_word(char *text, size_t length) {
    char *end = text + length;
    while (text < end && isspace((unsigned char)*text)) text++;
    while (text < end && isspace((unsigned char)end[-1])) end--;
    *end = '\0';
    for (const char *at = text; at < end; at++) {
        if (!isgraph((unsigned char)*at)) return NULL;
    }
    return text < end ? text : NULL;
}

static void say_value(const char *url, uint32_t handle) {
    char answer[ANSWER_SIZE];
    size_t length;
    const HttpError error = read_body(handle, answer, sizeof answer, &length);
    const char *value = error == 0 && length < sizeof answer ? one_word(answer, length) : NULL;
    if (value != NULL) {
        say(url, " value ", value);
    } else {
        say(url, " failed: ", error != 0 ? http_cause(error) : "the answer is no value");
    }
}

static void read_device(const char *url) {
    uint16_t status;
    uint32_t handle;
    const HttpError error = http_request(url, strlen(url), METHOD, strlen(METHOD), "", 0, "", 0, &status, &handle);
    if (error != 0) {
        say(url, " failed: ", http_cause(error));
        return;
    }
    if (status == OK) {
        say_value(url, handle);
    } else {
        say_status(url, status);
    }
    http_close(handle);
}

int main(void) {
    const char *url = device();
    if (url == NULL) {
        fputs(ENDPOINT " is not set: this Pod was given no HTTP device\n", stderr);
        return 1;
    }
    const struct timespec pause = {.tv_sec = interval()};
    if (pause.tv_sec == 0) {
        fputs(INTERVAL " is no number of seconds from 1 to 86400\n", stderr);
        return 1;
    }
    for (;;) {
        read_device(url);
        nanosleep(&pause, NULL);
    }
}
