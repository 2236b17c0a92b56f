#pragma once

// Rows by the many, in the encoding of list.go. Statements and connections are used by
// one thread at a time.
#include <stdint.h>

typedef struct sqlite3 sqlite3;
typedef struct sqlite3_stmt sqlite3_stmt;

// A pack is bytes as far as they have come.
typedef struct {
	unsigned char *bytes;
	uint64_t size, room;
	int ended; // it takes no more
} pack;

// BULK_FORM is the code of what is not of the form: no single statement, no whole values.
enum { BULK_FORM = -1, BULK_MORE = 100, BULK_DONE = 101 };

// bulk_expect gives the next connection that this thread opens the functions
// grouplog_rows and grouplog_pack; bulk_opened is that connection, NULL where that
// cannot be done.
void bulk_expect(void);
sqlite3 *bulk_opened(void);

// They return SQLite's extended codes.
int bulk_prepare(sqlite3 *db, const char *query, int size, sqlite3_stmt **statement);

// bulk_run runs a statement once for each of so many rows of arguments. row is how many
// it has run, with the one that failed.
int bulk_run(sqlite3_stmt *s, int rows, const unsigned char *from, uint64_t size, int *row);

// bulk_read fills a pack with the next rows of a query, until it has reached a size. It
// returns BULK_MORE if there may be more, BULK_DONE if not, both of which are SQLite's.
int bulk_read(sqlite3_stmt *s, uint64_t limit, pack *p);
void bulk_free(pack *p);

const char *bulk_message(sqlite3 *db);
int bulk_parameters(sqlite3_stmt *s);
void bulk_reset(sqlite3_stmt *s);
void bulk_finalize(sqlite3_stmt *s);

// bulk_give_back gives memory that was freed back to the system, where that can be done.
void bulk_give_back(void);
