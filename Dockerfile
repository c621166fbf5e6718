# How it is built and run: docs/deploy.md. Two stages: what building takes is not in the image.

FROM python:3.11-slim AS build
WORKDIR /src
COPY requirements/ requirements/
RUN pip install --no-cache-dir --require-hashes -r requirements/build.lock
RUN python -m venv /opt/thresher
RUN /opt/thresher/bin/pip install --no-cache-dir --require-hashes -r requirements/runtime.lock
COPY pyproject.toml README.md LICENSE ./
COPY src/ src/
RUN pip wheel --no-deps --no-build-isolation --no-index --wheel-dir wheels .
RUN /opt/thresher/bin/pip install --no-deps --no-index wheels/*.whl

FROM python:3.11-slim
# PostgreSQL refuses to run as root, and as a user that has no name.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin thresher
RUN install --directory --owner=thresher --group=thresher --mode=0700 /data
COPY --from=build /opt/thresher /opt/thresher
ENV PATH=/opt/thresher/bin:$PATH THRESHER_DATA_DIR=/data
USER 10001:10001
VOLUME /data
EXPOSE 8080
HEALTHCHECK --start-period=60s --interval=10s --timeout=5s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
CMD ["thresher", "serve", "--host", "0.0.0.0", "--data-dir", "/data"]
