#!/bin/sh
# The steps of the seed's README by hand, with the real programs, where all of it is up already: three builds, the images
# to the node, the upgrade, the wait, the page. The Dockerfiles, the chart and its values are the ones that the deploy has.
# usage: seed.sh PROJECT NODE_IMPORT RELEASE NAMESPACE URL VALUES
set -e
project=$1 import=$2 release=$3 namespace=$4 url=$5 values=$6
export DOCKER_BUILDKIT=0
for image in frontend backend mcp; do
    case $image in frontend) context=frontend ;; *) context=backend ;; esac
    cp "$project/docker/Dockerfile.$image.dockerignore" "$project/examples/todo-app/$context/.dockerignore"
    docker build -q -f "$project/docker/Dockerfile.$image" -t "seed-$image:latest" "$project/examples/todo-app/$context"
    docker save "seed-$image:latest" | $import
done
helm upgrade "$release" "$project/chart" --install --namespace "$namespace" --values "$values"
kubectl wait --namespace "$namespace" --for=condition=Ready pods -l "app.kubernetes.io/instance=$release" --timeout=120s
kubectl get pods --namespace "$namespace"
curl -fsS --noproxy '*' "$url/api/health"
