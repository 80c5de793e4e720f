package peer

import (
	"bufio"
	"bytes"
	"strings"
	"testing"

	"deepstream-fast/codec/ws"
)

func TestParseReadsWhatStringWrites(t *testing.T) {
	for _, text := range []string{
		`CONNECTION CHALLENGE url="ws://h/deepstream" protocolVersion="0.1a" sdkVersion="7.0.5" sdkType="javascript"`,
		`EVENT SUBSCRIBE correlationId="0" names=["a b" "]" "\xff" ""]`,
		`EVENT EMIT isAck isError name="x" data="{\"a\":[1, 2]}"`,
		`EVENT MESSAGE_DENIED isError name="" originalAction=SUBSCRIBE`,
		`EVENT 99 name="x"`,
		`RECORD UPDATE isWriteAck name="r" correlationId="1" path="a" version=-1 data="1"`,
		`PARSER UNKNOWN_ACTION originalTopic=EVENT originalAction=LISTEN_ACCEPT`,
		`RPC REQUEST name="add" requestorName="n" requestorData="null"`,
	} {
		m, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := m.String(); got != text {
			t.Errorf("got  %s\nwant %s", got, text)
		}
	}
}

func TestParseTakesBareWordsAndBackQuotes(t *testing.T) {
	m, err := Parse("EVENT EMIT names=[a b] name=x data=`{\"n\": 1}`")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := m.String(), `EVENT EMIT name="x" data="{\"n\": 1}" names=["a" "b"]`; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		"", "EVENT", "EVENTS EMIT", "EVENT EMITS", "EVENT EMIT loud", "EVENT EMIT colour=red",
		`EVENT EMIT name="x`, "EVENT SUBSCRIBE names=a", "EVENT SUBSCRIBE names=[a", "RECORD READ version=one",
		"EVENT EMIT originalAction=NONE",
	} {
		if m, err := Parse(text); err == nil {
			t.Errorf("%q was read as %v", text, &m)
		}
	}
}

func TestReadFrameOfEverySize(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 65535, 65536} {
		payload := bytes.Repeat([]byte{7}, size)
		c := Client{r: bufio.NewReader(bytes.NewReader(ws.AppendFrame(nil, ws.Binary, payload)))}
		op, got, err := c.readFrame()
		if err != nil || op != ws.Binary || !bytes.Equal(got, payload) {
			t.Errorf("size %d: got %v and %d bytes, %v", size, op, len(got), err)
		}
	}
}

func TestFrameCutOffIsAnError(t *testing.T) {
	c := Client{r: bufio.NewReader(strings.NewReader("\x82\x7e\x01"))}
	if _, _, err := c.readFrame(); err == nil {
		t.Fatal("no error")
	}
}
