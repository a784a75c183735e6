package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

func randomToken() string {
	b := make([]byte, 24)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// writeSecret writes a file that only its owner may read, whole or not at all.
func writeSecret(file string, content []byte) error {
	next := file + ".new"
	if err := os.WriteFile(next, content, 0o600); err != nil {
		return err
	}
	return os.Rename(next, file)
}

// writeServiceAccountKey makes the key that signs ServiceAccount tokens, unless the folder has one.
func (c cluster) writeServiceAccountKey() error {
	if _, err := os.Stat(c.path("sa.key")); err == nil {
		return nil
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	return writeSecret(c.path("sa.key"), pem.EncodeToMemory(block))
}

// renderKubeconfig quotes every value, so that none can be read as another type.
func renderKubeconfig(server string, ca []byte, user, token, namespace string) []byte {
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters:
- name: test
  cluster:
    server: %q
    certificate-authority-data: %q
users:
- name: %[3]q
  user:
    token: %[4]q
contexts:
- name: test
  context:
    cluster: test
    user: %[3]q
    namespace: %[5]q
current-context: test
`, server, base64.StdEncoding.EncodeToString(ca), user, token, namespace)
}

// readKubeconfig takes the server and its CA out of a file that renderKubeconfig wrote.
func readKubeconfig(text []byte) (server string, ca []byte, err error) {
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		value = strings.Trim(value, `"`)
		switch key {
		case "server":
			server = value
		case "certificate-authority-data":
			ca, err = base64.StdEncoding.DecodeString(value)
		}
	}
	if server == "" || len(ca) == 0 {
		return "", nil, errors.Join(errors.New("admin.kubeconfig names no server or no CA"), err)
	}
	return server, ca, nil
}

// answers: one GET, with a short limit of its own; true for 200.
func answers(url, token string, ca []byte) bool {
	transport := &http.Transport{DisableKeepAlives: true}
	if bytes.Contains(ca, []byte("CERTIFICATE")) {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(ca)
		transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	client := http.Client{Transport: transport, Timeout: 2 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}
