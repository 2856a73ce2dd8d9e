# The agent of a node, for amd64 and arm64. From the root of the checkout:
#   docker buildx build --platform linux/amd64,linux/arm64 -f deployments/node.Dockerfile -t backhaul-node .
#   docker run -v /var/lib/backhaul:/data -v /etc/backhaul:/etc/backhaul:ro backhaul-node
# To enrol it: docker run -i --rm -v /var/lib/backhaul:/data --entrypoint backhaul backhaul-node node enrol --folder /data < cam-1.token
# and then run it with /data/node.yaml as its argument. Else
# NODE.yaml is /etc/backhaul/node.yaml; `folder: /data/node` in it keeps what waits across restarts.
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libglib2.0-0 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 1000 backhaul \
 && install -d -o backhaul -g backhaul /data
WORKDIR /opt/backhaul
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY backhaul backhaul/
RUN pip install --no-cache-dir -c constraints.txt '.[node]'
USER backhaul
WORKDIR /data
ENV OMP_NUM_THREADS=1 PYTHONUNBUFFERED=1
ENTRYPOINT ["backhaul", "node", "run"]
CMD ["/etc/backhaul/node.yaml"]
