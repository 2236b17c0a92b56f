//go:build cgo

#include "pack_linux.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

// What is needed of SQLite's interface, which the driver links into the program. The
// references are weak: without that, this package could not be linked by itself, which
// the go command does to see what it needs.
typedef struct sqlite3 sqlite3;
typedef struct sqlite3_context sqlite3_context;
typedef struct sqlite3_value sqlite3_value;
typedef void function(sqlite3_context *, int, sqlite3_value **);

#define WEAK extern __attribute__((weak))
WEAK int sqlite3_auto_extension(void (*)(void));
WEAK int sqlite3_cancel_auto_extension(void (*)(void));
WEAK int sqlite3_create_function(sqlite3 *, const char *, int, int, void *, function *, function *, void (*)(sqlite3_context *));
WEAK void *sqlite3_aggregate_context(sqlite3_context *, int);
WEAK int sqlite3_value_type(sqlite3_value *);
WEAK int64_t sqlite3_value_int64(sqlite3_value *);
WEAK const void *sqlite3_value_blob(sqlite3_value *);
WEAK int sqlite3_value_bytes(sqlite3_value *);
WEAK void sqlite3_result_blob64(sqlite3_context *, const void *, uint64_t, void (*)(void *));
WEAK void *sqlite3_realloc64(void *, uint64_t);
WEAK void sqlite3_free(void *);

enum { SQLITE_INTEGER = 1, SQLITE_TEXT = 3, SQLITE_UTF8 = 1, SQLITE_DIRECTONLY = 0x80000 };

// The arguments of grouplog_pack, in the order of the encoding.
enum { LIMIT, CHECKSUM, POSITION, VERSION, SCHEMA, TIME, ADMIN, STREAM, TYPE, ACTOR, COMMAND, DATA, ARGUMENTS };

// A pack is the aggregate as far as it has come.
typedef struct {
	unsigned char *bytes;
	uint64_t size, room;
	int ended; // it takes no more: it is full, or a row is not of the form that is written
} pack;

static unsigned char *put_integer(unsigned char *to, int64_t n) {
	uint64_t bits = __builtin_bswap64((uint64_t)n);
	memcpy(to, &bits, sizeof bits);
	return to + sizeof bits;
}

static unsigned char *put_text(unsigned char *to, sqlite3_value *value) {
	uint32_t size = (uint32_t)sqlite3_value_bytes(value), rest = size;
	for (; rest >= 0x80; rest >>= 7)
		*to++ = (unsigned char)(rest | 0x80);
	*to++ = (unsigned char)rest;
	if (size > 0)
		memcpy(to, sqlite3_value_blob(value), size);
	return to + size;
}

// size_of is how many bytes a row takes at most; 0 if it is not of the form.
static uint64_t size_of(sqlite3_value **row) {
	uint64_t size = 1 + 8 * (ADMIN - CHECKSUM) + 1;
	for (int i = CHECKSUM; i <= ADMIN; i++)
		if (sqlite3_value_type(row[i]) != SQLITE_INTEGER)
			return 0;
	if (sqlite3_value_int64(row[ADMIN]) >> 1 != 0)
		return 0;
	for (int i = STREAM; i <= DATA; i++) {
		if (sqlite3_value_type(row[i]) != SQLITE_TEXT)
			return 0;
		size += 5 + (uint64_t)sqlite3_value_bytes(row[i]);
	}
	return size;
}

static int grow(pack *p, uint64_t by) {
	if (p->size + by <= p->room)
		return 1;
	uint64_t room = 2 * (p->size + by);
	if (room < 1 << 16)
		room = 1 << 16;
	unsigned char *bytes = sqlite3_realloc64(p->bytes, room);
	if (bytes == NULL)
		return 0;
	p->bytes = bytes;
	p->room = room;
	return 1;
}

static void step(sqlite3_context *context, int arguments, sqlite3_value **row) {
	(void)arguments;
	pack *p = sqlite3_aggregate_context(context, sizeof *p);
	if (p == NULL || p->ended)
		return;
	uint64_t size = size_of(row);
	if (size == 0 || (p->size > 0 && p->size + size > (uint64_t)sqlite3_value_int64(row[LIMIT])) || !grow(p, size)) {
		p->ended = 1;
		return;
	}
	unsigned char *to = put_integer(p->bytes + p->size, sqlite3_value_int64(row[CHECKSUM]));
	*to++ = 'E';
	for (int i = POSITION; i <= TIME; i++)
		to = put_integer(to, sqlite3_value_int64(row[i]));
	*to++ = (unsigned char)sqlite3_value_int64(row[ADMIN]);
	for (int i = STREAM; i <= DATA; i++)
		to = put_text(to, row[i]);
	p->size = (uint64_t)(to - p->bytes);
}

// final gives the bytes away; NULL where there are none.
static void final(sqlite3_context *context) {
	pack *p = sqlite3_aggregate_context(context, 0);
	if (p != NULL && p->bytes != NULL)
		sqlite3_result_blob64(context, p->bytes, p->size, sqlite3_free);
}

static int create(sqlite3 *db, const char **message, const void *api) {
	(void)message, (void)api;
	return sqlite3_create_function(db, "grouplog_pack", ARGUMENTS, SQLITE_UTF8 | SQLITE_DIRECTONLY, NULL, NULL, step, final);
}

int grouplog_pack_offer(void) {
	return sqlite3_auto_extension != NULL && sqlite3_auto_extension((void (*)(void))create) == 0;
}

void grouplog_pack_withdraw(void) { sqlite3_cancel_auto_extension((void (*)(void))create); }
