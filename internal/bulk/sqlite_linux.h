// What is needed of SQLite's interface, which the driver links into the program. The
// references are weak: without that, this package could not be linked by itself, which
// the go command does to see what it needs.
#include "native_linux.h"

#include <stddef.h>
#include <string.h>

typedef struct sqlite3_mutex sqlite3_mutex;
typedef struct sqlite3_context sqlite3_context;
typedef struct sqlite3_value sqlite3_value;
typedef void function(sqlite3_context *, int, sqlite3_value **);
typedef void destructor(void *);

#define WEAK extern __attribute__((weak))
WEAK int sqlite3_auto_extension(void (*)(void));
WEAK int sqlite3_create_function(sqlite3 *, const char *, int, int, void *, function *, function *, void (*)(sqlite3_context *));
WEAK void *sqlite3_aggregate_context(sqlite3_context *, int);
WEAK int sqlite3_value_type(sqlite3_value *);
WEAK int64_t sqlite3_value_int64(sqlite3_value *);
WEAK double sqlite3_value_double(sqlite3_value *);
WEAK const void *sqlite3_value_blob(sqlite3_value *);
WEAK int sqlite3_value_bytes(sqlite3_value *);
WEAK void sqlite3_result_blob64(sqlite3_context *, const void *, uint64_t, destructor *);
WEAK void sqlite3_result_error_nomem(sqlite3_context *);
WEAK void *sqlite3_realloc64(void *, uint64_t);
WEAK void sqlite3_free(void *);
WEAK sqlite3_mutex *sqlite3_db_mutex(sqlite3 *);
WEAK void sqlite3_mutex_enter(sqlite3_mutex *);
WEAK void sqlite3_mutex_leave(sqlite3_mutex *);
WEAK sqlite3 *sqlite3_db_handle(sqlite3_stmt *);
WEAK const char *sqlite3_errmsg(sqlite3 *);
WEAK int sqlite3_extended_errcode(sqlite3 *);
WEAK int sqlite3_prepare_v3(sqlite3 *, const char *, int, unsigned, sqlite3_stmt **, const char **);
WEAK int sqlite3_bind_parameter_count(sqlite3_stmt *);
WEAK int sqlite3_bind_int64(sqlite3_stmt *, int, int64_t);
WEAK int sqlite3_bind_double(sqlite3_stmt *, int, double);
WEAK int sqlite3_bind_text(sqlite3_stmt *, int, const char *, int, destructor *);
WEAK int sqlite3_bind_blob(sqlite3_stmt *, int, const void *, int, destructor *);
WEAK int sqlite3_bind_null(sqlite3_stmt *, int);
WEAK int sqlite3_clear_bindings(sqlite3_stmt *);
WEAK int sqlite3_step(sqlite3_stmt *);
WEAK int sqlite3_reset(sqlite3_stmt *);
WEAK int sqlite3_column_count(sqlite3_stmt *);
WEAK sqlite3_value *sqlite3_column_value(sqlite3_stmt *, int);
WEAK int sqlite3_finalize(sqlite3_stmt *);

enum { SQLITE_OK = 0, SQLITE_NOMEM = 7, SQLITE_ROW = 100, SQLITE_DONE = 101 };
enum { SQLITE_INTEGER = 1, SQLITE_FLOAT = 2, SQLITE_TEXT = 3, SQLITE_BLOB = 4 };
enum { SQLITE_UTF8 = 1, SQLITE_DIRECTONLY = 0x80000, SQLITE_PREPARE_PERSISTENT = 1 };

static inline unsigned char *put_integer(unsigned char *to, int64_t n) {
	uint64_t bits = __builtin_bswap64((uint64_t)n);
	memcpy(to, &bits, sizeof bits);
	return to + sizeof bits;
}

// grow makes room for so many bytes; 0 if there is no memory.
static inline int grow(pack *p, uint64_t by) {
	if (p->size + by <= p->room)
		return 1;
	uint64_t room = 2 * (p->size + by);
	if (room < 1 << 14)
		room = 1 << 14;
	unsigned char *bytes = sqlite3_realloc64(p->bytes, room);
	if (bytes == NULL)
		return 0;
	p->bytes = bytes;
	p->room = room;
	return 1;
}

// create_records gives a connection grouplog_pack, and create_rows grouplog_rows.
int create_records(sqlite3 *db);
int create_rows(sqlite3 *db);
