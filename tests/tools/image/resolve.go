// A DNS server for one name, so that a test can show that the program in the image resolves names by the network, as it must
// in a cluster. It knows A records alone and serves the loopback address only.
package main

import (
	"net"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

func resolve(address, name string) error {
	socket, err := net.ListenPacket("udp4", address)
	if err != nil {
		return err
	}
	defer socket.Close()
	question := make([]byte, 1232)
	for {
		length, from, err := socket.ReadFrom(question)
		if err != nil {
			return err
		}
		// What is no question is not answered.
		if reply, err := answer(question[:length], name); err == nil {
			_, _ = socket.WriteTo(reply, from)
		}
	}
}

func answer(question []byte, name string) ([]byte, error) {
	var parser dnsmessage.Parser
	header, err := parser.Start(question)
	if err != nil {
		return nil, err
	}
	asked, err := parser.Question()
	if err != nil {
		return nil, err
	}
	reply := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: header.ID, Response: true, Authoritative: true, RecursionAvailable: true},
		Questions: []dnsmessage.Question{asked},
	}
	switch {
	case !strings.EqualFold(strings.TrimSuffix(asked.Name.String(), "."), name):
		reply.Header.RCode = dnsmessage.RCodeNameError
	case asked.Type == dnsmessage.TypeA:
		reply.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: asked.Name, Class: asked.Class, TTL: 1},
			Body:   &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
		}}
	}
	return reply.Pack()
}
