#include "http.h"

/* By number; those that a GET without headers cannot meet are left out. */
static const char *const CAUSES[] = {
    [6] = "the URL is not UTF-8",
    [7] = "the node does not allow this destination (error 7)",
    [10] = "this is no http or https URL (error 10)",
    [11] = "there was no complete answer (error 11)",
    [12] = "the node could not make the request (error 12)",
    [13] = "too many responses are open (error 13)",
};

const char *http_cause(HttpError error) {
    const char *cause = error < sizeof CAUSES / sizeof *CAUSES ? CAUSES[error] : NULL;
    return cause != NULL ? cause : "the node refused the request";
}
