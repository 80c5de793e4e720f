package load

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Limits of a fleet and of a run.
const (
	SubscribersMax = 15_000
	PublishersMax  = 64
	WindowMax      = 1 << 14

	payloadBytesMax = 64 << 10
	ringMax         = 1 << 22   // window times subscribers: 32 MiB of send times
	messagesMax     = 1 << 31   // of a fleet's life: numbers have 32 bits and must not wrap
	readBytes       = 256 << 10 // one read
	eventsPerTurn   = 512
)

// Options says what DialFleet opens. Zero values take the defaults.
type Options struct {
	Addr         string        // host:port, IPv4; required
	Subscribers  int           // default 10
	Publishers   int           // default 4
	PayloadBytes int           // JSON text of a message, quotes included; default 64
	Name         string        // the one name; default "bench/fanout"
	Record       bool          // full updates of one record instead of events
	Credentials  string        // JSON object to log in with; default {}
	Dialect      Dialect       // what the server speaks above WebSocket frames; default Deepstream
	Timeout      time.Duration // for every step of a login, and for a run without progress; default 10 s
}

func (o *Options) setDefaults() {
	o.Subscribers = cmp.Or(o.Subscribers, 10)
	o.Publishers = cmp.Or(o.Publishers, 4)
	o.PayloadBytes = cmp.Or(o.PayloadBytes, 64)
	o.Name = cmp.Or(o.Name, "bench/fanout")
	o.Credentials = cmp.Or(o.Credentials, "{}")
	o.Timeout = cmp.Or(o.Timeout, 10*time.Second)
}

func (o *Options) validate() error {
	switch {
	case o.Subscribers < 1 || o.Subscribers > SubscribersMax:
		return fmt.Errorf("load: %d subscribers, want 1 to %d", o.Subscribers, SubscribersMax)
	case o.Publishers < 1 || o.Publishers > PublishersMax:
		return fmt.Errorf("load: %d publishers, want 1 to %d", o.Publishers, PublishersMax)
	case o.Dialect != Deepstream && o.Dialect != NATS && o.Dialect != Centrifuge:
		return fmt.Errorf("load: unknown dialect %q", o.Dialect)
	case o.Dialect != Deepstream && o.Record:
		return errors.New("load: only deepstream has records")
	case o.PayloadBytes < PayloadBytesMin || o.PayloadBytes > payloadBytesMax:
		return fmt.Errorf("load: payload of %d bytes, want %d to %d", o.PayloadBytes, PayloadBytesMin, payloadBytesMax)
	}
	return nil
}

// Load is the shape of one run. It ends after Messages or Duration, whichever comes first; one of
// them must be set.
type Load struct {
	Window   int           // messages in flight, 1 to WindowMax; a message lands when all have it
	Every    time.Duration // 0 = as soon as the window allows; else the interval between messages
	Messages int
	Duration time.Duration
}

func (l Load) validate() error {
	if l.Window < 1 || l.Window > WindowMax {
		return fmt.Errorf("load: window of %d messages, want 1 to %d", l.Window, WindowMax)
	}
	if l.Messages <= 0 && l.Duration <= 0 {
		return errors.New("load: a run needs Messages or Duration")
	}
	return nil
}

// Result is what one run delivered.
type Result struct {
	Messages   int // published
	Deliveries int // Messages times subscribers, each verified
	Elapsed    time.Duration

	// From just before the publisher's write to just after the subscriber's read. At a fixed rate from
	// the moment at which the message was due: who makes later ones wait does not get them for free.
	Latency Histogram
}

// subscriber is one receiving connection.
type subscriber struct {
	conn    *Conn
	rest    []byte   // the incomplete frame at the end of the last read
	text    []byte   // NATS: the incomplete message at the end of the last frame
	next    []uint32 // by publisher: the number its next message must carry
	version uint64   // of the record, as of the last update
}

// publisher is one sending connection.
type publisher struct {
	conn  *Conn
	batch []byte // frames of this turn, written at once
	rest  []byte // Centrifuge: the incomplete frame at the end of the last read
}

// Fleet is the subscribers and publishers of one name. Not safe for concurrent use.
type Fleet struct {
	// Set by DialFleet, then constant.
	opts     Options
	epfd     int
	subs     []subscriber
	born     time.Time
	plain    []byte // the payload of one EMIT
	template []byte // the same as a masked frame
	digitsAt int    // where the number stands in plain; in template it is as far from the end
	digitsIn int    // the same in the JSON text
	head     []byte // other dialects: what stands before the JSON text of a delivery
	topic    uint64 // of what is delivered
	action   uint64

	// Message i is sent by publisher i mod len(pubs), so numbers are dense over the whole fleet and
	// over all runs. A run keeps sent - landed <= Window.
	pubs      []publisher
	sent      uint32
	delivered uint64          // deliveries of all runs
	sentAt    []time.Duration // since born; ring by number: one subscriber can lag by Window times their number
	latency   *Histogram
	buf       []byte
	events    []unix.EpollEvent
}

// DialFleet opens all connections, logs them in and subscribes the subscribers. On error nothing
// stays open.
func DialFleet(opts Options) (*Fleet, error) {
	opts.setDefaults()
	if err := opts.validate(); err != nil {
		return nil, err
	}
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("load: epoll: %w", err)
	}
	f := &Fleet{opts: opts, epfd: epfd, born: time.Now(), buf: make([]byte, frameBytesMax+readBytes), events: make([]unix.EpollEvent, eventsPerTurn)}
	f.buildTemplate()
	if err := f.dialAll(); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (f *Fleet) buildTemplate() {
	data, at := payload(f.opts.PayloadBytes, f.opts.Record)
	switch f.opts.Dialect {
	case NATS:
		f.buildNATS(data, at)
		return
	case Centrifuge:
		f.buildCentrifuge(data, at)
		return
	}
	f.topic, f.action, f.digitsIn = topicEvent, eventEmit, at
	if f.opts.Record {
		f.topic, f.action = topicRecord, recordUpdate
	}
	inner := appendField([]byte{fieldAction << 3, byte(f.action)}, fieldData, data)
	inner = appendField(inner, fieldName, f.opts.Name)
	if f.opts.Record { // whatever the others have written meanwhile
		inner = appendNumber(inner, fieldVersion, anyVersion)
	}
	f.plain = message(byte(f.topic), inner)
	f.template = appendFrame(nil, f.plain)
	f.digitsAt = strings.Index(string(f.plain), data) + at
}

func (f *Fleet) dialAll() error {
	for i := range f.opts.Subscribers {
		c, err := f.dial(i)
		if err != nil {
			return err
		}
		f.subs = append(f.subs, subscriber{conn: c})
		s := &f.subs[i]
		if err := f.subscribe(s); err != nil {
			return err
		}
		s.rest, c.buf = c.buf, nil
		for p := range f.opts.Publishers {
			s.next = append(s.next, uint32(p))
		}
		if err := f.watch(c, i, unix.EPOLLIN); err != nil {
			return err
		}
	}
	for i := range f.opts.Publishers {
		c, err := f.dial(f.opts.Subscribers + i)
		if err != nil {
			return err
		}
		f.pubs = append(f.pubs, publisher{conn: c, rest: c.buf})
		// A publisher that gets no answers is written to and never read: only its end is news.
		events := uint32(unix.EPOLLRDHUP)
		if f.opts.Dialect == Centrifuge {
			events = unix.EPOLLIN
		}
		if err := f.watch(c, f.opts.Subscribers+i, events); err != nil {
			return err
		}
	}
	return nil
}

// dial opens the connection with the given number among all of the fleet.
func (f *Fleet) dial(index int) (*Conn, error) {
	return f.opts.Dialect.Dial(f.opts.Addr, index, f.opts.Timeout, f.opts.Credentials)
}

func (f *Fleet) subscribe(s *subscriber) error {
	if !f.opts.Record {
		return s.conn.Subscribe(f.opts.Name)
	}
	_, err := s.conn.ReadRecords([]string{f.opts.Name}, func(_ string, version int64, _ []byte) error {
		s.version = uint64(version)
		return nil
	})
	return err
}

// watch adds c to the epoll set under index: subscribers first, then publishers.
func (f *Fleet) watch(c *Conn, index int, events uint32) error {
	ev := unix.EpollEvent{Events: events, Fd: int32(index)}
	if err := unix.EpollCtl(f.epfd, unix.EPOLL_CTL_ADD, c.fd, &ev); err != nil {
		return fmt.Errorf("load: epoll: %w", err)
	}
	return nil
}

// Close resets every connection.
func (f *Fleet) Close() {
	for i := range f.subs {
		f.subs[i].conn.Close()
	}
	for i := range f.pubs {
		f.pubs[i].conn.Close()
	}
	_ = unix.Close(f.epfd)
}

// Run publishes in the shape of l and returns when everything published has been delivered and
// verified. After an error the fleet is only good for Close. It holds its OS thread while it runs.
func (f *Fleet) Run(l Load) (*Result, error) {
	if err := l.validate(); err != nil {
		return nil, err
	}
	if f.sent >= messagesMax {
		return nil, fmt.Errorf("load: this fleet has sent %d messages: dial a new one", f.sent)
	}
	if need := (l.Window + 1) * len(f.subs); need > ringMax {
		return nil, fmt.Errorf("load: window times subscribers is %d, above %d", need, ringMax)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	r := &Result{}
	f.latency = &r.Latency
	f.reserveRing(l.Window)
	start, first, before := time.Now(), f.sent, f.delivered
	moved := start // when the last delivery came
	for now := start; ; now = time.Now() {
		done := l.Messages > 0 && int(f.sent-first) >= l.Messages || l.Duration > 0 && now.Sub(start) >= l.Duration
		if done && f.inFlight() == 0 {
			r.Messages, r.Deliveries, r.Elapsed = int(f.sent-first), int(f.delivered-before), now.Sub(start)
			return r, nil
		}
		if !done {
			sent, at := int(f.sent-first), now
			if l.Every > 0 {
				at = start.Add(time.Duration(sent) * l.Every)
			}
			if err := f.publish(f.due(l, sent, now.Sub(start)), at.Sub(f.born), l.Every); err != nil {
				return nil, err
			}
		}
		count := f.delivered
		if err := f.turn(f.patience(l, int(f.sent-first), time.Since(start))); err != nil {
			return nil, err
		}
		if f.delivered != count || f.inFlight() == 0 {
			moved = now
		} else if now.Sub(moved) > f.opts.Timeout {
			return nil, f.stalled()
		}
	}
}

// reserveRing makes sentAt long enough that no number still awaited by anybody is overwritten.
func (f *Fleet) reserveRing(window int) {
	need := 1
	for need < (window+1)*len(f.subs) {
		need *= 2
	}
	if need > len(f.sentAt) {
		f.sentAt = make([]time.Duration, need)
	}
}

// inFlight returns how many messages have not reached everybody, on average over the subscribers.
func (f *Fleet) inFlight() int {
	owed := uint64(f.sent)*uint64(len(f.subs)) - f.delivered
	return int((owed + uint64(len(f.subs)) - 1) / uint64(len(f.subs)))
}

// due returns how many messages may be published now: sent of this run have been, elapsed into it.
func (f *Fleet) due(l Load, sent int, elapsed time.Duration) int {
	n := l.Window - f.inFlight()
	// Half a window at a time. Refilling at every delivery would let the driver's own pace decide how
	// many frames the server finds in one turn, and with that how expensive a delivery looks.
	if n < (l.Window+1)/2 && l.Every == 0 {
		return 0
	}
	if l.Messages > 0 {
		n = min(n, l.Messages-sent)
	}
	if l.Every > 0 {
		n = min(n, int(elapsed/l.Every)+1-sent)
	}
	return max(n, 0)
}

// patience returns how many milliseconds a turn may wait for readiness: at a fixed rate until the
// next message is due, rounded down, so that the last of them is spent asking; otherwise long enough to
// notice a stall.
func (f *Fleet) patience(l Load, sent int, elapsed time.Duration) int {
	const stall = 100 * time.Millisecond
	wait := stall
	if l.Every > 0 {
		wait = min(stall, max(0, time.Duration(sent)*l.Every-elapsed))
	}
	return int(wait / time.Millisecond)
}

// publish sends the next n messages, each publisher its share in one write. The first counts as sent at the
// given time since born, each other one that much later.
func (f *Fleet) publish(n int, at, every time.Duration) error {
	if n == 0 {
		return nil
	}
	digits := len(f.template) - len(f.plain) + f.digitsAt
	for range n {
		p := &f.pubs[int(f.sent)%len(f.pubs)]
		number := len(p.batch) + digits
		p.batch = append(p.batch, f.template...)
		putNumber(p.batch[number:], f.sent, f.digitsAt)
		f.sentAt[int(f.sent)&(len(f.sentAt)-1)] = at
		at += every
		f.sent++
	}
	for i := range f.pubs {
		p := &f.pubs[i]
		if err := writeAll(p.conn.fd, p.batch); err != nil {
			return fmt.Errorf("load: publisher %d: %w", i, err)
		}
		p.batch = p.batch[:0]
	}
	return nil
}

// turn waits for readiness and reads every readable subscriber once.
func (f *Fleet) turn(milliseconds int) error {
	n, err := unix.EpollWait(f.epfd, f.events, milliseconds)
	if errors.Is(err, unix.EINTR) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("load: epoll: %w", err)
	}
	for _, ev := range f.events[:n] {
		index := int(ev.Fd)
		if index >= len(f.subs) {
			if err := f.hear(&f.pubs[index-len(f.subs)]); err != nil {
				return fmt.Errorf("load: publisher %d: %w", index-len(f.subs), err)
			}
			continue
		}
		if err := f.read(&f.subs[index]); err != nil {
			return fmt.Errorf("load: subscriber %d: %w", index, err)
		}
	}
	return nil
}

// hear sees to news of a publisher.
func (f *Fleet) hear(p *publisher) error {
	if f.opts.Dialect == Centrifuge {
		return f.checkReplies(p)
	}
	return errors.New("closed by the server")
}

// read takes one read's worth of messages from s, which is readable.
func (f *Fleet) read(s *subscriber) error {
	b, err := readBehind(s.conn.fd, f.buf, s.rest)
	if err != nil {
		return err
	}
	rest, err := f.count(s, b, time.Since(f.born))
	if err == nil {
		s.rest, err = keepRest(s.rest, rest)
	}
	return err
}

// count verifies every complete frame in b, read at now, and returns what is left of it.
func (f *Fleet) count(s *subscriber, b []byte, now time.Duration) (rest []byte, err error) {
	switch f.opts.Dialect {
	case NATS:
		return eachMessage(b, func(payload []byte) error { return f.countNATS(s, payload, now) })
	case Centrifuge:
		return eachMessage(b, func(payload []byte) error { return f.countCentrifuge(s, payload, now) })
	}
	return eachMessage(b, func(payload []byte) error { return f.verify(s, payload, now) })
}

// verify checks that payload is the one message s must get next from its publisher.
//
// Hot path: 0 allocations, see BenchmarkCount.
func (f *Fleet) verify(s *subscriber, payload []byte, now time.Duration) error {
	i, err := f.numberOf(s, payload)
	if err != nil {
		return err
	}
	return f.land(s, i, now)
}

// land checks that message i is the one s must get next from its publisher, and counts it.
func (f *Fleet) land(s *subscriber, i uint32, now time.Duration) error {
	p := i % uint32(len(f.pubs))
	if want := s.next[p]; i != want {
		return fmt.Errorf("message %d of publisher %d instead of %d: lost, repeated or out of order", i, p, want)
	}
	if i >= f.sent {
		return fmt.Errorf("message %d was never sent", i)
	}
	s.next[p] += uint32(len(f.pubs))
	f.delivered++
	f.latency.Add(now-f.sentAt[int(i)&(len(f.sentAt)-1)], 1)
	return nil
}

// numberOf reads the message number out of a delivery. A server that relays the publisher's EMIT
// differs from plain in the number only; any other layout of the same message is decoded, and so is
// every UPDATE, which has another version each time.
func (f *Fleet) numberOf(s *subscriber, payload []byte) (uint32, error) {
	from, to := f.digitsAt, f.digitsAt+digitBytes
	if len(payload) == len(f.plain) && bytes.Equal(payload[:from], f.plain[:from]) && bytes.Equal(payload[to:], f.plain[to:]) {
		if i, ok := number(payload[from:to]); ok {
			return i, nil
		}
	}
	a, err := decode(payload)
	if err != nil {
		return 0, err
	}
	if a.topic != f.topic || a.action != f.action || len(a.data) != f.opts.PayloadBytes {
		return 0, fmt.Errorf("unexpected message: topic %d action %d, %d bytes of data", a.topic, a.action, len(a.data))
	}
	if f.opts.Record {
		if a.version != s.version+1 {
			return 0, fmt.Errorf("version %d follows %d: an update is missing", a.version, s.version)
		}
		s.version++
	}
	i, ok := numberIn(a.data, f.digitsIn)
	if !ok {
		return 0, fmt.Errorf("unexpected payload %q", a.data)
	}
	return i, nil
}

// stalled says who waits for what.
func (f *Fleet) stalled() error {
	for i := range f.subs {
		for p, next := range f.subs[i].next {
			if next < f.sent {
				return fmt.Errorf("load: nothing came for %v; subscriber %d still waits for message %d of publisher %d", f.opts.Timeout, i, next, p)
			}
		}
	}
	return fmt.Errorf("load: nothing came for %v", f.opts.Timeout)
}
