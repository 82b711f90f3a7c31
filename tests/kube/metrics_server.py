"""A metrics API of two pods and a node, for the API server's aggregation: metrics_server.py PORT CERTIFICATE KEY."""
import http.server
import json
import ssl
import sys

VERSION = "metrics.k8s.io/v1beta1"


def pod(name, *usages):
    return {"metadata": {"name": name, "namespace": "shop", "labels": {"app": name}}, "timestamp": "2026-01-01T00:00:00Z",
            "window": "15s", "containers": [{"name": "c%d" % i, "usage": usage} for i, usage in enumerate(usages)]}


PODS = [pod("backend-1", {"cpu": "3123456n", "memory": "2048Ki"}, {"cpu": "250m", "memory": "100Mi"}),
        pod("lonely", {"cpu": "1", "memory": "1Gi"})]
NODES = [{"metadata": {"name": "node-1"}, "timestamp": "2026-01-01T00:00:00Z", "window": "15s",
          "usage": {"cpu": "1200m", "memory": "3000000Ki"}}]


def listing(kind, items):
    return {"kind": kind, "apiVersion": VERSION, "metadata": {}, "items": items}


ANSWERS = {
    "": {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": VERSION, "resources": [
        {"name": "pods", "singularName": "", "namespaced": True, "kind": "PodMetrics", "verbs": ["get", "list"]},
        {"name": "nodes", "singularName": "", "namespaced": False, "kind": "NodeMetrics", "verbs": ["get", "list"]}]},
    "/pods": listing("PodMetricsList", PODS), "/namespaces/shop/pods": listing("PodMetricsList", PODS),
    "/namespaces/default/pods": listing("PodMetricsList", []),
    "/namespaces/kube-public/pods": listing("PodMetricsList", []), "/nodes": listing("NodeMetricsList", NODES),
    "/nodes/node-1": dict(NODES[0], kind="NodeMetrics", apiVersion=VERSION),
    "/namespaces/shop/pods/lonely": dict(PODS[1], kind="PodMetrics", apiVersion=VERSION),
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = self.path.partition("?")[0]
        prefix = "/apis/" + VERSION
        answer = ANSWERS.get(path[len(prefix):]) if path.startswith(prefix) else None
        body = json.dumps(answer or {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound",
                                     "code": 404, "message": path + " not found"}).encode()
        self.send_response(200 if answer else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])
server.socket = context.wrap_socket(server.socket, server_side=True)
print("ready", flush=True)
server.serve_forever()
