/* The little JSON that the file protocol needs: a list of strings in, escaped strings out. */
#ifndef JSON_H
#define JSON_H

#include "text.h"

#include <stdbool.h>

typedef struct {
    Text *items;
    size_t count;
} TextList;

/* Reads {"descriptions": ["...", ...]}; other members are passed over. Returns NULL and fills the list, or returns
 * what is wrong and leaves the list alone; `unfinished` tells whether the text may be the beginning of a right one. Every
 * string is UTF-8 without NUL: \u0000 is an error. */
const char *json_read_descriptions(const char *json, TextList *descriptions, bool *unfinished);

/* Appends the string in quotes, escaped as serde_json does. */
void json_append_string(Text *out, const char *string);

void text_list_free(TextList *list);

#endif
