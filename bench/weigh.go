package bench

import (
	"fmt"

	"deepstream-fast/bench/load"
)

// Weight is the resident memory that connections and subscriptions add to a server, in bytes of one.
type Weight struct {
	Conn         float64
	Subscription float64 // to a name that nobody else has
	Shared       float64 // to a name that every connection has
}

// Weigh opens conns logged-in connections that say nothing, then subscribes each to names of its own, in
// one message; on another process it subscribes each to the same names.
func (r *Rig) Weigh(s Server, conns, names int) (w Weight, err error) {
	w.Conn, w.Subscription, err = r.weigh(s, conns, names, func(i int) []string { return OwnNames(i, names) })
	if err == nil {
		_, w.Shared, err = r.weigh(s, conns, names, func(int) []string { return OwnNames(0, names) })
	}
	return w, err
}

// weigh starts s for one subscription of every connection to what namesOf says.
func (r *Rig) weigh(s Server, conns, names int, namesOf func(conn int) []string) (conn, subscription float64, err error) {
	p, err := r.Start(s)
	if err != nil {
		return 0, 0, err
	}
	defer p.Stop()
	idle, full, err := r.fill(p, s, conns, namesOf)
	if err != nil {
		return 0, 0, fmt.Errorf("bench: weigh %s: %w\n%s", s, err, p.Stderr())
	}
	return float64(idle) / float64(conns), float64(full) / float64(conns*names), nil
}

// fill returns what the connections added to the process, and then their subscriptions.
func (r *Rig) fill(p *Process, s Server, conns int, namesOf func(conn int) []string) (idle, full int64, err error) {
	empty, err := p.RSS()
	if err != nil {
		return 0, 0, err
	}
	var open []*load.Conn
	defer func() {
		for _, c := range open {
			c.Close()
		}
	}()
	for i := range conns {
		c, err := r.connect(s, p.Addr, i)
		if err != nil {
			return 0, 0, err
		}
		open = append(open, c)
	}
	connected, err := p.RSS()
	if err != nil {
		return 0, 0, err
	}
	for i, c := range open {
		if err := c.Subscribe(namesOf(i)...); err != nil {
			return 0, 0, err
		}
	}
	subscribed, err := p.RSS()
	return connected - empty, subscribed - connected, err
}

// OwnNames returns n names that only connection i has, of 20 bytes each for up to a million connections
// and a thousand names.
func OwnNames(i, n int) []string {
	names := make([]string, n)
	for j := range names {
		names[j] = fmt.Sprintf("bench/%06d/item%03d", i, j)
	}
	return names
}
