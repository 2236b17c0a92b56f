package projections

import "context"

func (v *Views) sweep(ctx context.Context) error { return nil }
