package load

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Limits of Writers.
const (
	WritersMax    = 1024
	RecordsMax    = 1 << 20 // of all writers
	WriteBytesMin = len(`{"n":"","d":""}`) + digitBytes
	writeBytesMax = 64 << 10
)

// WriterOptions says what DialWriters opens. Zero values take the defaults.
type WriterOptions struct {
	Addr     string        // host:port, IPv4; required
	Writers  int           // connections; default 64
	InFlight int           // writes that a connection has not got acknowledged, each of another record; default 1
	Records  int           // of one connection, written in turn; default InFlight
	Bytes    int           // JSON text of a document; default 200
	Timeout  time.Duration // for every step of a login, and for a run without progress; default 10 s
}

func (o *WriterOptions) setDefaults() {
	o.Writers = cmp.Or(o.Writers, 64)
	o.InFlight = cmp.Or(o.InFlight, 1)
	o.Records = cmp.Or(o.Records, o.InFlight)
	o.Bytes = cmp.Or(o.Bytes, 200)
	o.Timeout = cmp.Or(o.Timeout, 10*time.Second)
}

func (o *WriterOptions) validate() error {
	switch {
	case o.Writers < 1 || o.Writers > WritersMax:
		return fmt.Errorf("load: %d writers, want 1 to %d", o.Writers, WritersMax)
	case o.InFlight < 1 || o.Records < o.InFlight || o.Records > RecordsMax/o.Writers:
		return fmt.Errorf("load: %d of %d records in flight, want 1 to %d", o.InFlight, o.Records, RecordsMax/o.Writers)
	case o.Bytes < WriteBytesMin || o.Bytes > writeBytesMax:
		return fmt.Errorf("load: documents of %d bytes, want %d to %d", o.Bytes, WriteBytesMin, writeBytesMax)
	}
	return nil
}

// WriteResult is what one run wrote.
type WriteResult struct {
	Writes  int // acknowledged
	Elapsed time.Duration
	Latency Histogram // from just before the write to just after the read of its acknowledgement
}

// writer is one connection and the records that only it writes.
type writer struct {
	conn     *Conn
	batch    []byte // frames of this turn, written at once
	versions []uint32
	sentAt   []time.Duration // by record, since born; 0: not in flight
	free     []int           // records that are not, in the order of their turns
}

// Writers is connections that write records, full documents with write acknowledgement: each write
// carries the version after the last one of its record. Not safe for concurrent use.
type Writers struct {
	// Set by DialWriters, then constant.
	opts  WriterOptions
	epfd  int
	born  time.Time
	text  string   // the document with number 0
	at    int      // where its number stands
	names []string // of the records, those of one connection together

	conns   []writer
	result  *WriteResult
	flying  int // writes of all
	buf     []byte
	request []byte // scratch
	events  []unix.EpollEvent
}

// DialWriters opens all connections and logs them in. On error nothing stays open.
func DialWriters(opts WriterOptions) (*Writers, error) {
	opts.setDefaults()
	if err := opts.validate(); err != nil {
		return nil, err
	}
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("load: epoll: %w", err)
	}
	w := &Writers{opts: opts, epfd: epfd, born: time.Now(), buf: make([]byte, frameBytesMax+readBytes), events: make([]unix.EpollEvent, eventsPerTurn)}
	head := `{"n":"`
	w.text = head + strings.Repeat("0", digitBytes) + `","d":"` + strings.Repeat("x", opts.Bytes-WriteBytesMin) + `"}`
	w.at = len(head)
	for i := range opts.Writers {
		if err := w.dial(i); err != nil {
			w.Close()
			return nil, err
		}
	}
	return w, nil
}

func (w *Writers) dial(i int) error {
	c, err := Dial(w.opts.Addr, i, w.opts.Timeout)
	if err != nil {
		return err
	}
	n := w.opts.Records
	writer := writer{conn: c, versions: make([]uint32, n), sentAt: make([]time.Duration, n)}
	for r := range n {
		writer.free = append(writer.free, r)
		w.names = append(w.names, fmt.Sprintf("bench/%04d/item%07d", i, r)) // all of one length
	}
	w.conns = append(w.conns, writer)
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}
	if err := unix.EpollCtl(w.epfd, unix.EPOLL_CTL_ADD, c.fd, &ev); err != nil {
		return fmt.Errorf("load: epoll: %w", err)
	}
	return nil
}

// Close resets every connection.
func (w *Writers) Close() {
	for i := range w.conns {
		w.conns[i].conn.Close()
	}
	_ = unix.Close(w.epfd)
}

// Names returns the names of all records. The caller must not change them.
func (w *Writers) Names() []string { return w.names }

// name returns the name of a connection's record.
func (w *Writers) name(conn, record int) string { return w.names[conn*w.opts.Records+record] }

// Run writes until there were writes, or for duration, whichever comes first; zero means no such bound.
// It returns when everything is acknowledged. After an error w is only good for Close. It holds its OS
// thread while it runs.
func (w *Writers) Run(writes int, duration time.Duration) (*WriteResult, error) {
	if writes <= 0 && duration <= 0 {
		return nil, errors.New("load: a run needs a number of writes or a duration")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	w.result = &WriteResult{}
	start := time.Now()
	moved := start // when the last acknowledgement came
	for now := start; ; now = time.Now() {
		done := writes > 0 && w.result.Writes+w.flying >= writes || duration > 0 && now.Sub(start) >= duration
		if done && w.flying == 0 {
			w.result.Elapsed = now.Sub(start)
			return w.result, nil
		}
		if !done {
			if err := w.write(writes); err != nil {
				return nil, err
			}
		}
		acked := w.result.Writes
		if err := w.turn(); err != nil {
			return nil, err
		}
		if w.result.Writes != acked {
			moved = now
		} else if now.Sub(moved) > w.opts.Timeout {
			return nil, fmt.Errorf("load: nothing came for %v; %d writes are not acknowledged", w.opts.Timeout, w.flying)
		}
	}
}

// write has every connection send what it may, in one write. limit, unless 0, is of the whole run.
func (w *Writers) write(limit int) error {
	now := time.Since(w.born)
	for i := range w.conns {
		c := &w.conns[i]
		for w.opts.Records-len(c.free) < w.opts.InFlight && (limit <= 0 || w.result.Writes+w.flying < limit) {
			record := c.free[0]
			c.free = c.free[1:]
			c.sentAt[record] = now
			w.flying++
			w.appendWrite(i, record)
		}
		if len(c.batch) == 0 {
			continue
		}
		if err := writeAll(c.conn.fd, c.batch); err != nil {
			return fmt.Errorf("load: writer %d: %w", i, err)
		}
		c.batch = c.batch[:0]
	}
	return nil
}

// appendWrite appends the next version of a record to its connection's batch.
func (w *Writers) appendWrite(conn, record int) {
	c := &w.conns[conn]
	version := c.versions[record] + 1
	action := byte(recordUpdate)
	if version == 1 {
		action = recordCreateAndUpdate
	}
	b := append(w.request[:0], fieldAction<<3, action)
	b = appendField(b, fieldData, w.text)
	putDigits(b[len(b)-len(w.text)+w.at:], version)
	b = appendField(b, fieldCorrelation, strconv.Itoa(record))
	b = appendField(b, fieldName, w.name(conn, record))
	b = appendNumber(b, fieldIsWriteAck, 1)
	b = appendNumber(b, fieldVersion, int64(version))
	w.request = b
	c.batch = appendFrame(c.batch, message(topicRecord, b))
}

// turn waits for readiness and reads every readable connection once.
func (w *Writers) turn() error {
	const stallMilliseconds = 100 // long enough to notice one
	n, err := unix.EpollWait(w.epfd, w.events, stallMilliseconds)
	if errors.Is(err, unix.EINTR) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("load: epoll: %w", err)
	}
	for _, ev := range w.events[:n] {
		i := int(ev.Fd)
		err := w.conns[i].conn.receive(w.buf, func(payload []byte) error { return w.take(i, payload) })
		if err != nil {
			return fmt.Errorf("load: writer %d: %w", i, err)
		}
	}
	return nil
}

// take checks that payload acknowledges a write of connection i that is in flight.
func (w *Writers) take(i int, payload []byte) error {
	now := time.Since(w.born)
	a, err := decode(payload)
	if err != nil {
		return err
	}
	c := &w.conns[i]
	record, err := strconv.Atoi(string(a.correlation))
	if err != nil || record < 0 || record >= len(c.versions) || c.sentAt[record] == 0 ||
		a.topic != topicRecord || a.action != recordWriteAck || !a.isWriteAck || a.isError ||
		string(a.name) != w.name(i, record) {
		return fmt.Errorf("unexpected message: topic %d action %d for %q, correlation id %q", a.topic, a.action, a.name, a.correlation)
	}
	w.result.Latency.Add(now-c.sentAt[record], 1)
	w.result.Writes++
	c.sentAt[record] = 0
	c.versions[record]++
	c.free = append(c.free, record)
	w.flying--
	return nil
}

// Check reads every record over a connection of its own and compares it with what was acknowledged
// last. It returns how long all the answers took. A server can't look faster by forgetting.
func (w *Writers) Check() (time.Duration, error) {
	c, err := Dial(w.opts.Addr, len(w.conns), w.opts.Timeout)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	want := make(map[string]uint32, len(w.names))
	for i, n := range w.names {
		want[n] = w.conns[i/w.opts.Records].versions[i%w.opts.Records]
	}
	return c.ReadRecords(w.names, func(name string, version int64, data []byte) error {
		written := want[name]
		if n, ok := numberIn(data, w.at); version != int64(written) || written > 0 && (!ok || n != written || len(data) != w.opts.Bytes) {
			return fmt.Errorf("record %q is at version %d with %q, want version %d", name, version, data, written)
		}
		return nil
	})
}
