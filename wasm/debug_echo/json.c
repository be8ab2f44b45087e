#include "json.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 32 };

/* A reader stops at its first error and then says no to everything. */
typedef struct {
    const char *next;
    const char *error;
    bool unfinished; /* the error is that the text ends */
} Reader;

static bool fail(Reader *reader, const char *error) {
    if (reader->error == NULL) {
        reader->error = error;
        reader->unfinished = *reader->next == '\0';
    }
    return false;
}

static char peek(Reader *reader) {
    reader->next += strspn(reader->next, " \t\r\n");
    return *reader->next;
}

static bool accept(Reader *reader, char wanted) {
    if (peek(reader) != wanted) return false;
    reader->next++;
    return true;
}

static bool expect(Reader *reader, char wanted, const char *error) {
    return accept(reader, wanted) || fail(reader, error);
}

static void append_utf8(Text *out, uint32_t code) {
    char bytes[4];
    size_t count = 0;
    if (code < 0x80) {
        bytes[count++] = (char)code;
    } else if (code < 0x800) {
        bytes[count++] = (char)(0xC0 | code >> 6);
        bytes[count++] = (char)(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        bytes[count++] = (char)(0xE0 | code >> 12);
        bytes[count++] = (char)(0x80 | (code >> 6 & 0x3F));
        bytes[count++] = (char)(0x80 | (code & 0x3F));
    } else {
        bytes[count++] = (char)(0xF0 | code >> 18);
        bytes[count++] = (char)(0x80 | (code >> 12 & 0x3F));
        bytes[count++] = (char)(0x80 | (code >> 6 & 0x3F));
        bytes[count++] = (char)(0x80 | (code & 0x3F));
    }
    text_append(out, bytes, count);
}

static bool read_hex4(Reader *reader, uint32_t *code) {
    *code = 0;
    for (int digit = 0; digit < 4; digit++) {
        const char *digits = "0123456789abcdef0123456789ABCDEF";
        const char *found = *reader->next ? strchr(digits, *reader->next) : NULL;
        if (found == NULL) return fail(reader, "\\u needs four hexadecimal digits");
        *code = *code << 4 | (uint32_t)((found - digits) % 16);
        reader->next++;
    }
    return true;
}

/* Reads what follows \u; a character outside the basic plane comes as two surrogates. */
static bool read_code_point(Reader *reader, Text *out) {
    uint32_t code, low;
    if (!read_hex4(reader, &code)) return false;
    if (code >= 0xD800 && code < 0xDC00) {
        if (strncmp(reader->next, "\\u", 2) != 0) return fail(reader, "half a surrogate pair");
        reader->next += 2;
        if (!read_hex4(reader, &low)) return false;
        if (low < 0xDC00 || low > 0xDFFF) return fail(reader, "half a surrogate pair");
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code >= 0xDC00 && code < 0xE000) {
        return fail(reader, "half a surrogate pair");
    }
    if (code == 0) return fail(reader, "a string must not contain NUL");
    append_utf8(out, code);
    return true;
}

static bool read_escape(Reader *reader, Text *out) {
    const char *letters = "\"\\/bfnrt";
    const char *meanings = "\"\\/\b\f\n\r\t";
    char letter = *reader->next;
    if (letter == 'u') {
        reader->next++;
        return read_code_point(reader, out);
    }
    const char *found = letter ? strchr(letters, letter) : NULL;
    if (found == NULL) return fail(reader, "an unknown escape");
    text_append(out, meanings + (found - letters), 1);
    reader->next++;
    return true;
}

static bool read_string(Reader *reader, Text *out) {
    if (!expect(reader, '"', "a string was expected")) return false;
    text_clear(out);
    while (*reader->next != '"') {
        unsigned char byte = (unsigned char)*reader->next;
        if (byte == '\0') return fail(reader, "a string without end");
        if (byte < 0x20) return fail(reader, "a control character in a string");
        reader->next++;
        if (byte != '\\') {
            text_append(out, (const char *)&byte, 1);
        } else if (!read_escape(reader, out)) {
            return false;
        }
    }
    reader->next++;
    return true;
}

static bool skip_string(Reader *reader) {
    Text ignored = {0};
    bool read = read_string(reader, &ignored);
    text_free(&ignored);
    return read;
}

static bool skip_value(Reader *reader, int depth);

static bool skip_members(Reader *reader, char end, int depth) {
    if (depth == DEEPEST) return fail(reader, "nested too deeply");
    if (accept(reader, end)) return true;
    do {
        if (end == '}' && !(skip_string(reader) && expect(reader, ':', "a colon was expected"))) return false;
        if (!skip_value(reader, depth + 1)) return false;
    } while (accept(reader, ','));
    return expect(reader, end, "a comma or the end of a list or object was expected");
}

static bool skip_value(Reader *reader, int depth) {
    if (peek(reader) == '"') return skip_string(reader);
    if (accept(reader, '{')) return skip_members(reader, '}', depth);
    if (accept(reader, '[')) return skip_members(reader, ']', depth);
    size_t length = strspn(reader->next, "+-.0123456789Eaeflnrstu"); /* numbers, true, false, null */
    reader->next += length;
    return length > 0 || fail(reader, "a value was expected");
}

static Text *list_add(TextList *list) {
    Text *items = realloc(list->items, (list->count + 1) * sizeof *items);
    if (items == NULL) {
        fputs("Out of memory\n", stderr);
        exit(1);
    }
    list->items = items;
    items[list->count] = (Text){0};
    return &items[list->count++];
}

static bool read_strings(Reader *reader, TextList *list) {
    if (!expect(reader, '[', "descriptions is not a list")) return false;
    if (accept(reader, ']')) return true;
    do {
        if (!read_string(reader, list_add(list))) return false;
    } while (accept(reader, ','));
    return expect(reader, ']', "a comma or the end of the list was expected");
}

static bool read_object(Reader *reader, TextList *descriptions) {
    bool found = false;
    Text key = {0};
    bool good = expect(reader, '{', "an object was expected");
    bool more = good && peek(reader) != '}';
    while (more) {
        good = read_string(reader, &key) && expect(reader, ':', "a colon was expected");
        if (!good) break;
        if (strcmp(key.data, "descriptions") == 0) {
            text_list_free(descriptions);
            good = found = read_strings(reader, descriptions);
        } else {
            good = skip_value(reader, 0);
        }
        more = good && accept(reader, ',');
    }
    text_free(&key);
    if (good && !found && peek(reader) == '}') return fail(reader, "descriptions is missing");
    return good && expect(reader, '}', "a comma or the end of the object was expected") &&
           (peek(reader) == '\0' || fail(reader, "text after the object"));
}

const char *json_read_descriptions(const char *json, TextList *descriptions, bool *unfinished) {
    Reader reader = {.next = json};
    TextList read = {0};
    if (!read_object(&reader, &read)) {
        text_list_free(&read);
        *unfinished = reader.unfinished;
        return reader.error;
    }
    text_list_free(descriptions);
    *descriptions = read;
    return NULL;
}

void json_append_string(Text *out, const char *string) {
    text_append(out, "\"", 1);
    for (; *string; string++) {
        const char *plain = "\"\\\b\f\n\r\t";
        const char *letters = "\"\\bfnrt";
        const char *found = strchr(plain, *string);
        char escaped[7];
        if (found != NULL) {
            snprintf(escaped, sizeof escaped, "\\%c", letters[found - plain]);
            text_append_string(out, escaped);
        } else if ((unsigned char)*string < 0x20) {
            snprintf(escaped, sizeof escaped, "\\u%04x", (unsigned)*string);
            text_append_string(out, escaped);
        } else {
            text_append(out, string, 1);
        }
    }
    text_append(out, "\"", 1);
}

void text_list_free(TextList *list) {
    for (size_t index = 0; index < list->count; index++) text_free(&list->items[index]);
    free(list->items);
    *list = (TextList){0};
}
