// Package docs is the documentation: prose, one page a question. It holds no code.
// Its tests keep the pages true: links lead somewhere, snippets compile, quoted
// output is what the program says, and what is derived from the code is fresh.
//
//	go test ./docs            # check
//	go test ./docs -update    # write the pages that are made from the code
package docs
