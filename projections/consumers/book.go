package consumers

import "context"

// book is where the progress of consumers is kept: a file, or cells.
type book interface {
	// find reads a consumer; ErrUnknown if there is none of the name.
	find(ctx context.Context, name string) (Progress, error)

	// names are those of all consumers, in order.
	names(ctx context.Context) ([]string, error)

	// insert makes a consumer, durably, unless there is one.
	insert(ctx context.Context, name string, p *Progress) error

	// edit replaces a consumer by what f makes of it, durably, and so that whoever is
	// active notices. f may be called several times, each time with what is stored by then.
	edit(ctx context.Context, name string, f func(*Progress) error) error

	// take waits until nobody is active under a name, which there is, and then is, as
	// long as the tenure lasts.
	take(ctx context.Context, name string) (tenure, Progress, error)

	// active reports whether some process is active under a name.
	active(ctx context.Context, name string) (bool, error)

	close() error
}

// tenure is a name that was taken: it alone stores steps, until it ends or another one
// begins. Whatever it is asked after that has the answer ErrReleased.
type tenure interface {
	// look reports whether somebody has edited the consumer since the last load.
	look(ctx context.Context) (edited bool, err error)

	// load is what is stored now.
	load(ctx context.Context) (Progress, error)

	// store stores a step, and makes p what is stored then; p is what this tenure has
	// loaded or stored last. Where somebody has edited the consumer since, nothing is stored.
	store(ctx context.Context, p *Progress, s *Step, record []byte) (edited bool, err error)

	// end lets another tenure begin. It is called once.
	end() error
}
