/* A text that grows. Running out of memory ends the program: a handler that dropped devices instead would lie. */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>

typedef struct {
    char *data; /* ends with a NUL that length does not count; NULL while empty */
    size_t length;
    size_t capacity;
} Text;

void text_append(Text *text, const char *bytes, size_t count);
void text_append_string(Text *text, const char *string);
void text_clear(Text *text);
void text_free(Text *text);

#endif
