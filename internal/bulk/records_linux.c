//go:build cgo && !grouplog_rowbyrow

#include "sqlite_linux.h"

// grouplog_pack packs records of the log, in the encoding of which their checksums are.
// See eventstore/sqlite/pack.go.

// The arguments of grouplog_pack, in the order of the encoding.
enum { LIMIT, CHECKSUM, POSITION, VERSION, SCHEMA, TIME, ADMIN, STREAM, TYPE, ACTOR, COMMAND, DATA, ARGUMENTS };

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

int create_records(sqlite3 *db) {
	return sqlite3_create_function(db, "grouplog_pack", ARGUMENTS, SQLITE_UTF8 | SQLITE_DIRECTONLY, NULL, NULL, step, final);
}
