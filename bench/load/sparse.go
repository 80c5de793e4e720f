package load

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// SparseOptions says what DialSparse opens: names with few subscribers each, on many connections.
type SparseOptions struct {
	Addr   string // host:port, IPv4; required
	Conns  int    // 1 to SubscribersMax
	Names  int    // of a connection
	Reach  int    // subscribers of a name, 1 to Conns and to 255
	Window int    // publications on their way, 1 to WindowMax
}

func (o *SparseOptions) validate() error {
	switch {
	case o.Conns < 1 || o.Conns > SubscribersMax:
		return fmt.Errorf("load: %d connections, want 1 to %d", o.Conns, SubscribersMax)
	case o.Reach < 1 || o.Reach > min(o.Conns, sparseReachMax) || o.Names < 1:
		return fmt.Errorf("load: %d names of %d connections cannot have %d subscribers each", o.Names, o.Conns, o.Reach)
	case o.Window < 1 || o.Window > WindowMax:
		return fmt.Errorf("load: window of %d publications, want 1 to %d", o.Window, WindowMax)
	}
	return nil
}

// Sparse is connections that subscribe to names of which each has Reach subscribers, and one publisher
// that goes through the names. Connection i has the subscriptions i, i+Conns, i+2*Conns and so on, and the
// subscriptions n*Reach to n*Reach+Reach-1 are those of name n: its subscribers are different connections.
// Not safe for concurrent use.
type Sparse struct {
	// Set by DialSparse, then constant.
	opts  SparseOptions
	names int // that are published: a last one with fewer subscribers is not
	epfd  int
	conns []*Conn
	pub   *Conn

	got     []uint8 // by name: deliveries of its publication
	next    int     // name to be published
	batch   []byte
	buf     []byte
	events  []unix.EpollEvent
	flying  int // deliveries owed
	arrived int // deliveries of this run
}

// sparseReachMax is what a count of deliveries holds.
const sparseReachMax = 255

// sparseTimeout bounds every login, and a run without progress.
const sparseTimeout = 30 * time.Second

// DialSparse opens and subscribes everything. On error nothing stays open.
func DialSparse(opts SparseOptions) (*Sparse, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("load: epoll: %w", err)
	}
	s := &Sparse{
		opts: opts, names: opts.Conns * opts.Names / opts.Reach, epfd: epfd,
		buf: make([]byte, frameBytesMax+readBytes), events: make([]unix.EpollEvent, eventsPerTurn),
	}
	s.got = make([]uint8, s.names)
	if err := s.dial(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// sparsePrefix is what all names begin with; nine digits follow.
const sparsePrefix = "sparse/name"

func sparseName(n int) string { return fmt.Sprintf(sparsePrefix+"%09d", n) }

// sparseNumber is the inverse of sparseName: written out, because a driver that is slower than the server
// lets it sleep between publications, and measures that.
func sparseNumber(name []byte) (n int, ok bool) {
	digits, ok := bytes.CutPrefix(name, []byte(sparsePrefix))
	if !ok || len(digits) != 9 {
		return 0, false
	}
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0, false
		}
		n = n*10 + int(d-'0')
	}
	return n, true
}

func (s *Sparse) dial() (err error) {
	for i := range s.opts.Conns {
		c, err := Dial(s.opts.Addr, i, sparseTimeout)
		if err != nil {
			return err
		}
		s.conns = append(s.conns, c)
		names := make([]string, s.opts.Names)
		for k := range names {
			names[k] = sparseName((i + k*s.opts.Conns) / s.opts.Reach)
		}
		if err := c.Subscribe(names...); err != nil {
			return err
		}
		if err := unix.EpollCtl(s.epfd, unix.EPOLL_CTL_ADD, c.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}); err != nil {
			return fmt.Errorf("load: epoll: %w", err)
		}
	}
	s.pub, err = Dial(s.opts.Addr, s.opts.Conns, sparseTimeout)
	return err
}

// Run publishes for duration and returns how many publications reached all their subscribers, each
// exactly once, and how long that took. After an error s is only good for Close.
func (s *Sparse) Run(duration time.Duration) (publications int, elapsed time.Duration, err error) {
	s.arrived = 0
	start := time.Now()
	moved := start
	for now := start; ; now = time.Now() {
		done := now.Sub(start) >= duration
		if done && s.flying == 0 {
			return s.arrived / s.opts.Reach, now.Sub(start), nil
		}
		// Half a window at a time, as a Fleet does.
		if room := s.opts.Window - (s.flying+s.opts.Reach-1)/s.opts.Reach; !done && room >= (s.opts.Window+1)/2 {
			if err := s.publish(room); err != nil {
				return 0, 0, err
			}
		}
		before := s.arrived
		if err := s.turn(); err != nil {
			return 0, 0, err
		}
		if s.arrived != before {
			moved = now
		} else if now.Sub(moved) > sparseTimeout {
			return 0, 0, fmt.Errorf("load: nothing came for %v; %d deliveries are missing", sparseTimeout, s.flying)
		}
	}
}

// publish sends the next n names one event each, in one write. The events say their name, nothing else.
func (s *Sparse) publish(n int) error {
	s.batch = s.batch[:0]
	for range n {
		if at := s.got[s.next]; at != 0 && int(at) != s.opts.Reach {
			return fmt.Errorf("load: name %d has %d deliveries of its last publication", s.next, at)
		}
		s.got[s.next] = 0
		inner := appendField([]byte{fieldAction << 3, eventEmit}, fieldData, `"0123456789012345678901234567890123456789012345678901234567890x"`)
		s.batch = appendFrame(s.batch, message(topicEvent, appendField(inner, fieldName, sparseName(s.next))))
		s.next = (s.next + 1) % s.names
	}
	s.flying += n * s.opts.Reach
	return writeAll(s.pub.fd, s.batch)
}

// turn takes what is there and does not wait for more: waking a driver that sleeps is work of whoever sends to
// it, and how often it sleeps is a matter of luck.
func (s *Sparse) turn() error {
	n, err := unix.EpollWait(s.epfd, s.events, 0)
	if errors.Is(err, unix.EINTR) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("load: epoll: %w", err)
	}
	for _, ev := range s.events[:n] {
		i := int(ev.Fd)
		if err := s.conns[i].receive(s.buf, func(p []byte) error { return s.take(i, p) }); err != nil {
			return fmt.Errorf("load: connection %d: %w", i, err)
		}
	}
	return nil
}

// take counts an event of a name that connection i subscribes to.
func (s *Sparse) take(i int, payload []byte) error {
	a, err := decode(payload)
	if err != nil {
		return err
	}
	n, ok := sparseNumber(a.name)
	if !ok || a.topic != topicEvent || a.action != eventEmit || n >= s.names {
		return fmt.Errorf("unexpected message: topic %d action %d for %q", a.topic, a.action, a.name)
	}
	mine := false
	for sub := n * s.opts.Reach; sub < (n+1)*s.opts.Reach; sub++ {
		mine = mine || sub%s.opts.Conns == i
	}
	if s.got[n]++; !mine || int(s.got[n]) > s.opts.Reach {
		return fmt.Errorf("name %d came to one who did not ask for it, or again", n)
	}
	s.flying--
	s.arrived++
	return nil
}

// Close resets every connection.
func (s *Sparse) Close() {
	for _, c := range s.conns {
		c.Close()
	}
	if s.pub != nil {
		s.pub.Close()
	}
	_ = unix.Close(s.epfd)
}
