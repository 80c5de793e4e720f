package load

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Field numbers of the Centrifuge client protocol that this driver needs. Source: client.proto of
// github.com/centrifugal/protocol; every message stands in its frame behind its length, and a frame may hold
// several.
const (
	cfID, cfError                           = 1, 2    // Command, Reply
	cfConnect, cfSubscribe, cfPublish       = 4, 5, 7 // Command
	cfPush, cfConnected, cfSubscribed       = 4, 5, 6 // Reply
	cfPublished                             = 8       // Reply
	cfRequestChannel, cfRequestData         = 1, 2    // SubscribeRequest, PublishRequest
	cfPushChannel, cfPushPub                = 2, 4    // Push
	cfPubData                               = 4       // Publication
	cfPath                                  = "/connection/websocket?format=protobuf"
	cfCommandID                       int64 = 1 // the answer repeats it; we have one thing under way at a time
)

// cfCommand returns one Command with one request in it, behind its length.
func cfCommand(id int64, number int, request string) []byte {
	return delimited(appendField(appendNumber(nil, cfID, id), number, request))
}

// delimited returns a message behind its length.
func delimited(message []byte) []byte {
	return append(binary.AppendUvarint(nil, uint64(len(message))), message...)
}

// cutDelimited splits the first delimited message off b.
func cutDelimited(b []byte) (message, rest []byte, err error) {
	n, k := binary.Uvarint(b)
	if k <= 0 || n > uint64(len(b)-k) {
		return nil, nil, errFrame
	}
	return b[k : k+int(n)], b[k+int(n):], nil
}

// cfReply is what the driver reads of a Reply.
type cfReply struct {
	id      uint64
	result  int    // the field that says what it is: cfPush, cfConnected and so on; 0: a ping
	body    []byte // of that field
	failure []byte // an Error
}

// decodeReply reads a Reply; its slices alias b.
func decodeReply(b []byte) (r cfReply, err error) {
	err = eachField(b, func(number int, value uint64, bytes []byte) {
		switch number {
		case cfID:
			r.id = value
		case cfError:
			r.failure = bytes
		default:
			r.result, r.body = number, bytes
		}
	})
	if err == nil && r.failure != nil {
		err = fmt.Errorf("refused: %q", r.failure)
	}
	return r, err
}

// DialCentrifuge opens a connection to a Centrifuge server and says connect, in protobuf; index is as in Dial.
func DialCentrifuge(addr string, index int, timeout time.Duration) (*Conn, error) {
	c, err := dialUpgraded(addr, cfPath, index, timeout)
	if err != nil {
		return nil, err
	}
	c.dialect = Centrifuge
	if err := c.askCentrifuge(cfCommand(cfCommandID, cfConnect, ""), 1, cfConnected); err != nil {
		c.Close()
		return nil, fmt.Errorf("load: connection %d: connect: %w", index, err)
	}
	return c, nil
}

// subscribeCentrifuge is Subscribe: a Command per name, all in one frame.
func (c *Conn) subscribeCentrifuge(names ...string) error {
	var commands []byte
	for i, n := range names {
		commands = append(commands, cfCommand(cfCommandID+int64(i), cfSubscribe, string(appendField(nil, cfRequestChannel, n)))...)
	}
	if err := c.askCentrifuge(commands, len(names), cfSubscribed); err != nil {
		return fmt.Errorf("load: subscribe to %d names: %w", len(names), err)
	}
	return nil
}

// askCentrifuge sends commands in one frame and reads as many replies, which must have this result.
func (c *Conn) askCentrifuge(commands []byte, replies, result int) error {
	if err := writeAll(c.fd, appendFrame(nil, commands)); err != nil {
		return err
	}
	for replies > 0 {
		payload, err := c.readFrame()
		if err != nil {
			return err
		}
		for len(payload) > 0 {
			var message []byte
			if message, payload, err = cutDelimited(payload); err != nil {
				return err
			}
			r, err := decodeReply(message)
			switch {
			case err != nil:
				return err
			case r.result == 0:
				continue // a ping
			case r.result != result || r.id == 0:
				return fmt.Errorf("want result %d, got %d of command %d", result, r.result, r.id)
			}
			replies--
		}
	}
	return nil
}

// buildCentrifuge prepares the publication of data and the beginning of its delivery.
func (f *Fleet) buildCentrifuge(data string, at int) {
	request := appendField(appendField(nil, cfRequestChannel, f.opts.Name), cfRequestData, data)
	f.plain = cfCommand(cfCommandID, cfPublish, string(request))
	f.template = appendFrame(nil, f.plain)
	f.digitsAt, f.digitsIn = strings.Index(string(f.plain), data)+at, at
	pub := appendField(nil, cfPubData, data)
	push := appendField(appendField(nil, cfPushChannel, f.opts.Name), cfPushPub, string(pub))
	delivery := delimited(appendField(nil, cfPush, string(push)))
	f.head = delivery[:len(delivery)-len(data)]
}

// countCentrifuge verifies every delivery in the payload of a frame. A bare publication differs from the
// expected one in its data only; any other layout of one is decoded.
//
// Hot path: 0 allocations, see BenchmarkCountCentrifuge.
func (f *Fleet) countCentrifuge(s *subscriber, b []byte, now time.Duration) error {
	whole := len(f.head) + f.opts.PayloadBytes
	for len(b) > 0 {
		var data []byte
		if bytes.HasPrefix(b, f.head) && len(b) >= whole {
			data, b = b[len(f.head):whole], b[whole:]
		} else {
			message, rest, err := cutDelimited(b)
			if err != nil {
				return err
			}
			if b = rest; len(message) == 0 {
				continue // a ping: the server does not insist on an answer
			}
			if data, err = f.publication(message); err != nil {
				return err
			}
		}
		i, ok := numberIn(data, f.digitsIn)
		if !ok {
			return fmt.Errorf("unexpected payload %q", data)
		}
		if err := f.land(s, i, now); err != nil {
			return err
		}
	}
	return nil
}

// publication returns the data of a Reply that must be a publication of the fleet's name.
func (f *Fleet) publication(message []byte) (data []byte, err error) {
	r, err := decodeReply(message)
	if err != nil {
		return nil, err
	}
	if r.result != cfPush {
		return nil, fmt.Errorf("unexpected result %d of command %d", r.result, r.id)
	}
	var channel, pub []byte
	err = eachField(r.body, func(number int, _ uint64, bytes []byte) {
		switch number {
		case cfPushChannel:
			channel = bytes
		case cfPushPub:
			pub = bytes
		}
	})
	if err == nil {
		err = eachField(pub, func(number int, _ uint64, bytes []byte) {
			if number == cfPubData {
				data = bytes
			}
		})
	}
	if err == nil && (string(channel) != f.opts.Name || len(data) != f.opts.PayloadBytes) {
		err = fmt.Errorf("unexpected push on %q with %d bytes of data", channel, len(data))
	}
	return data, err
}

// checkReplies reads what came back to a publisher: every publication is answered.
func (f *Fleet) checkReplies(p *publisher) error {
	b, err := readBehind(p.conn.fd, f.buf, p.rest)
	if err != nil {
		return err
	}
	rest, err := eachMessage(b, checkPublished)
	if err == nil {
		p.rest, err = keepRest(p.rest, rest)
	}
	return err
}

var errPublished = errors.New("unexpected answer to a publication")

// checkPublished fails unless the payload of a frame is nothing but answers of publications that were
// accepted, and pings.
func checkPublished(payload []byte) error {
	for len(payload) > 0 {
		message, rest, err := cutDelimited(payload)
		if err != nil {
			return err
		}
		payload = rest
		if r, err := decodeReply(message); err != nil {
			return err
		} else if r.result != cfPublished && r.result != 0 {
			return errPublished
		}
	}
	return nil
}
