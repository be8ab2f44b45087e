#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void text_append(Text *text, const char *bytes, size_t count) {
    size_t needed = text->length + count + 1;
    if (needed > text->capacity) {
        size_t capacity = needed * 2;
        char *data = realloc(text->data, capacity);
        if (data == NULL) {
            fputs("Out of memory\n", stderr);
            exit(1);
        }
        text->data = data;
        text->capacity = capacity;
    }
    memcpy(text->data + text->length, bytes, count);
    text->length += count;
    text->data[text->length] = '\0';
}

void text_append_string(Text *text, const char *string) {
    text_append(text, string, strlen(string));
}

void text_clear(Text *text) {
    text->length = 0;
    text_append(text, "", 0);
}

void text_free(Text *text) {
    free(text->data);
    *text = (Text){0};
}
