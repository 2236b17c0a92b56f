//go:build cgo && !grouplog_rowbyrow

#include "sqlite_linux.h"

// Rows in the encoding of list.go, by an aggregate function and by statements.

static unsigned char *put_data(unsigned char *to, unsigned char kind, sqlite3_value *value) {
	const void *data = sqlite3_value_blob(value);
	int64_t size = sqlite3_value_bytes(value);
	if (data == NULL && size > 0)
		return NULL;
	*to++ = kind;
	to = put_integer(to, size);
	if (size > 0)
		memcpy(to, data, (size_t)size);
	return to + size;
}

// put_value returns NULL if there is no memory.
static unsigned char *put_value(unsigned char *to, sqlite3_value *value) {
	switch (sqlite3_value_type(value)) {
	case SQLITE_INTEGER:
		*to++ = 'i';
		return put_integer(to, sqlite3_value_int64(value));
	case SQLITE_FLOAT: {
		double real = sqlite3_value_double(value);
		int64_t bits;
		memcpy(&bits, &real, sizeof bits);
		*to++ = 'f';
		return put_integer(to, bits);
	}
	case SQLITE_TEXT:
		return put_data(to, 't', value);
	case SQLITE_BLOB:
		return put_data(to, 'b', value);
	}
	*to++ = 'n';
	return to;
}

// size_of is how many bytes a value takes.
static uint64_t size_of(sqlite3_value *value) {
	switch (sqlite3_value_type(value)) {
	case SQLITE_INTEGER:
	case SQLITE_FLOAT:
		return 9;
	case SQLITE_TEXT:
	case SQLITE_BLOB:
		return 9 + (uint64_t)sqlite3_value_bytes(value);
	}
	return 1;
}

static void step(sqlite3_context *context, int arguments, sqlite3_value **row) {
	pack *p = sqlite3_aggregate_context(context, sizeof *p);
	if (p == NULL || p->ended)
		return;
	uint64_t size = 1; // for the mark that there are more
	for (int i = 1; i < arguments; i++)
		size += size_of(row[i]);
	if (!grow(p, size)) {
		sqlite3_result_error_nomem(context);
		return;
	}
	unsigned char *to = p->bytes + p->size;
	if (p->size > 0 && p->size + size - 1 > (uint64_t)sqlite3_value_int64(row[0])) {
		*to++ = '+';
		p->ended = 1;
	}
	for (int i = 1; i < arguments && !p->ended && to != NULL; i++)
		to = put_value(to, row[i]);
	if (to == NULL)
		sqlite3_result_error_nomem(context);
	else
		p->size = (uint64_t)(to - p->bytes);
}

// final gives the bytes away.
static void final(sqlite3_context *context) {
	pack *p = sqlite3_aggregate_context(context, 0);
	if (p == NULL || p->bytes == NULL)
		sqlite3_result_blob64(context, "", 0, NULL);
	else
		sqlite3_result_blob64(context, p->bytes, p->size, sqlite3_free);
}

int create_rows(sqlite3 *db) {
	return sqlite3_create_function(db, "grouplog_rows", -1, SQLITE_UTF8 | SQLITE_DIRECTONLY, NULL, NULL, step, final);
}

// The connection that this thread opens, if it is one of ours.
static __thread int expected;
static __thread sqlite3 *opened;

static int open(sqlite3 *db, const char **message, const void *api) {
	(void)message, (void)api;
	if (!expected)
		return SQLITE_OK;
	opened = db;
	int code = create_records(db);
	return code != SQLITE_OK ? code : create_rows(db);
}

void bulk_expect(void) {
	opened = NULL;
	expected = sqlite3_auto_extension != NULL && sqlite3_auto_extension((void (*)(void))open) == SQLITE_OK;
}

sqlite3 *bulk_opened(void) {
	expected = 0;
	return opened;
}

// is_blank reports whether there is no statement in a text: white space, comments, semicolons.
static int is_blank(sqlite3 *db, const char *text, const char *end) {
	sqlite3_stmt *statement = NULL;
	int code = SQLITE_OK;
	while (text != end && code == SQLITE_OK && statement == NULL) {
		const char *from = text;
		code = sqlite3_prepare_v3(db, from, (int)(end - from), 0, &statement, &text);
		if (text == from)
			break;
	}
	sqlite3_finalize(statement);
	return text == end && code == SQLITE_OK && statement == NULL;
}

int bulk_prepare(sqlite3 *db, const char *query, int size, sqlite3_stmt **statement) {
	const char *tail = query;
	int code = sqlite3_prepare_v3(db, query, size, SQLITE_PREPARE_PERSISTENT, statement, &tail);
	if (code != SQLITE_OK)
		return sqlite3_extended_errcode(db);
	if (*statement == NULL || !is_blank(db, tail, query + size)) {
		sqlite3_finalize(*statement);
		*statement = NULL;
		return BULK_FORM;
	}
	return SQLITE_OK;
}

// take_integer reads eight bytes.
static int64_t take_integer(const unsigned char *from) {
	uint64_t bits;
	memcpy(&bits, from, sizeof bits);
	return (int64_t)__builtin_bswap64(bits);
}

// bind binds one value, and moves on to the next.
static int bind(sqlite3_stmt *s, int parameter, const unsigned char **from, const unsigned char *end) {
	const unsigned char *value = *from;
	uint64_t rest = (uint64_t)(end - value);
	if (rest == 0)
		return BULK_FORM;
	if (*value == 'n') {
		*from = value + 1;
		return sqlite3_bind_null(s, parameter);
	}
	if (rest < 9)
		return BULK_FORM;
	int64_t bits = take_integer(value + 1);
	*from = value + 9;
	switch (*value) {
	case 'i':
		return sqlite3_bind_int64(s, parameter, bits);
	case 'f': {
		double real;
		memcpy(&real, &bits, sizeof real);
		return sqlite3_bind_double(s, parameter, real);
	}
	case 't':
	case 'b':
		if ((uint64_t)bits > rest - 9 || bits > INT32_MAX)
			return BULK_FORM;
		*from = value + 9 + bits;
		// The bytes stay where they are until the bindings are cleared.
		return *value == 't' ? sqlite3_bind_text(s, parameter, (const char *)value + 9, (int)bits, NULL)
		                     : sqlite3_bind_blob(s, parameter, value + 9, (int)bits, NULL);
	}
	return BULK_FORM;
}

static int run_one(sqlite3_stmt *s, int parameters, const unsigned char **from, const unsigned char *end) {
	for (int i = 1; i <= parameters; i++) {
		int code = bind(s, i, from, end);
		if (code != SQLITE_OK)
			return code;
	}
	int code;
	while ((code = sqlite3_step(s)) == SQLITE_ROW) {
	}
	int reset = sqlite3_reset(s); // says what went wrong
	return code == SQLITE_DONE ? reset : sqlite3_extended_errcode(sqlite3_db_handle(s));
}

int bulk_run(sqlite3_stmt *s, int rows, const unsigned char *from, uint64_t size, int *row) {
	const unsigned char *end = from + size;
	sqlite3_mutex *mutex = sqlite3_db_mutex(sqlite3_db_handle(s));
	sqlite3_mutex_enter(mutex); // once instead of for every value
	int parameters = sqlite3_bind_parameter_count(s), code = SQLITE_OK;
	for (*row = 0; *row < rows && code == SQLITE_OK; ++*row)
		code = run_one(s, parameters, &from, end);
	sqlite3_clear_bindings(s);
	sqlite3_mutex_leave(mutex);
	return code == SQLITE_OK && from != end ? BULK_FORM : code;
}

static int put_row(pack *p, sqlite3_stmt *s, int columns) {
	uint64_t size = 0;
	for (int i = 0; i < columns; i++)
		size += size_of(sqlite3_column_value(s, i));
	if (!grow(p, size))
		return SQLITE_NOMEM;
	unsigned char *to = p->bytes + p->size;
	for (int i = 0; i < columns && to != NULL; i++)
		to = put_value(to, sqlite3_column_value(s, i));
	if (to == NULL)
		return SQLITE_NOMEM;
	p->size = (uint64_t)(to - p->bytes);
	return SQLITE_ROW;
}

int bulk_read(sqlite3_stmt *s, uint64_t limit, pack *p) {
	sqlite3 *db = sqlite3_db_handle(s);
	sqlite3_mutex_enter(sqlite3_db_mutex(db)); // with it, the values of columns may be looked at
	int columns = sqlite3_column_count(s), code = SQLITE_ROW;
	p->size = 0;
	while (p->size < limit && code == SQLITE_ROW && (code = sqlite3_step(s)) == SQLITE_ROW)
		code = put_row(p, s, columns);
	if (code != SQLITE_ROW && code != SQLITE_DONE && code != SQLITE_NOMEM)
		code = sqlite3_extended_errcode(db);
	if (code != SQLITE_ROW)
		sqlite3_reset(s);
	sqlite3_mutex_leave(sqlite3_db_mutex(db));
	return code;
}

void bulk_free(pack *p) {
	sqlite3_free(p->bytes);
	p->bytes = NULL;
}

extern __attribute__((weak)) int malloc_trim(size_t); // glibc's

void bulk_give_back(void) {
	if (malloc_trim != NULL)
		malloc_trim(0);
}

const char *bulk_message(sqlite3 *db) { return sqlite3_errmsg(db); }
int bulk_parameters(sqlite3_stmt *s) { return sqlite3_bind_parameter_count(s); }
void bulk_reset(sqlite3_stmt *s) { sqlite3_reset(s); }
void bulk_finalize(sqlite3_stmt *s) { sqlite3_finalize(s); }
