package load

import (
	"fmt"
	"time"
)

// ReadRecords subscribes to the records of names in one SUBSCRIBECREATEANDREAD and returns when all of
// it is answered: the acknowledgement first and then each record exactly once, in any order, handed to
// visit. It returns the time from just before the request to just after the last answer. Slices given
// to visit are valid until it returns.
func (c *Conn) ReadRecords(names []string, visit func(name string, version int64, data []byte) error) (time.Duration, error) {
	inner := appendField([]byte{fieldAction << 3, recordSubscribeCreateAndRead}, fieldCorrelation, "0")
	missing := make(map[string]struct{}, len(names))
	for _, n := range names {
		inner = appendField(inner, fieldNames, n)
		missing[n] = struct{}{}
	}
	request, buf := appendFrame(nil, message(topicRecord, inner)), make([]byte, frameBytesMax+readBytes)
	acked := false
	take := func(payload []byte) error {
		a, err := decode(payload)
		switch {
		case err != nil:
			return err
		case !acked && a.topic == topicRecord && a.action == recordSubscribeCreateAndRead && a.isAck:
			acked = true
			return nil
		case !acked || a.topic != topicRecord || a.action != recordReadResponse:
			return fmt.Errorf("unexpected message: topic %d action %d for %q", a.topic, a.action, a.name)
		}
		name := string(a.name)
		if _, ok := missing[name]; !ok {
			return fmt.Errorf("record %q was not asked for, or came before", name)
		}
		delete(missing, name)
		return visit(name, int64(a.version), a.data)
	}
	start := time.Now()
	err := writeAll(c.fd, request)
	for err == nil && (!acked || len(missing) > 0) {
		err = c.receive(buf, take)
	}
	if err != nil {
		return 0, fmt.Errorf("load: read %d records, %d missing: %w", len(names), len(missing), err)
	}
	return time.Since(start), nil
}

// receive does one read into buf and hands every complete message to visit.
func (c *Conn) receive(buf []byte, visit func(payload []byte) error) error {
	b, err := readBehind(c.fd, buf, c.buf)
	if err != nil {
		return err
	}
	rest, err := eachMessage(b, visit)
	if err == nil {
		c.buf, err = keepRest(c.buf, rest)
	}
	return err
}
