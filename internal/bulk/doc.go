// Package bulk moves many rows between Go and SQLite with one call into C.
//
// The driver hands over one value at a time: each is boxed, each text has an allocation
// of its own, and for a row that takes several times as long as SQLite takes to find or to
// insert it. Here, rows cross as one run of bytes, a pack, in one encoding both ways:
//
//   - the aggregate function grouplog_rows(limit, value, …) packs the rows of any query into
//     one value, which [Read] takes apart. It may be used wherever SQL is, database/sql included.
//   - [Statement.Packs] reads a whole query in packs, and [Statement.Run] runs a statement for
//     each row of a [List] of arguments. They are of a connection, beside database/sql.
//
// On Linux, this is done in C, which the package links to the driver's SQLite. Elsewhere,
// and with the build tag grouplog_rowbyrow, it is done by the driver, row by row, with the
// same answers.
package bulk
