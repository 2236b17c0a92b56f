package audit

import "context"

// WordsOf is what is found of texts.
var WordsOf = wordsOf

// Like compares a name with a pattern.
var Like = like

// Flush has the attempts that were recorded written.
func (r *Refusals) Flush(ctx context.Context) error { return r.flush(ctx) }
