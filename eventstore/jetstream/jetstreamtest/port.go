package jetstreamtest

// reserve gives the server its ports.
func (m *member) reserve() error {
	for _, number := range []*int{&m.Client, &m.Route, &m.Monitor, &m.Advertise} {
		p, err := reservePort()
		if err != nil {
			return err
		}
		m.ports = append(m.ports, p)
		*number = p.number
	}
	return nil
}
