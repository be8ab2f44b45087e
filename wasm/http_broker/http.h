/* The host calls of wasi_experimental_http, as Krustlet and the node of edgelab.akri offer them. */
#ifndef HTTP_H
#define HTTP_H

#include <stddef.h>
#include <stdint.h>

#define HOST_CALL(name) __attribute__((import_module("wasi_experimental_http"), import_name(name)))

/* 0, or the number of an error. */
typedef uint32_t HttpError;

/* Sends a request and waits for the response, which stays with the host until its handle is closed. */
HOST_CALL("req")
HttpError http_request(const char *url, size_t url_length, const char *method, size_t method_length,
                       const char *headers, size_t headers_length, const char *body, size_t body_length,
                       uint16_t *status, uint32_t *handle);

/* Reads on in the body of a response; 0 bytes are its end. */
HOST_CALL("body_read")
HttpError http_read(uint32_t handle, char *buffer, size_t length, size_t *read);

HOST_CALL("close")
HttpError http_close(uint32_t handle);

/* What an error means for somebody who looks after a device. */
const char *http_cause(HttpError error);

#endif
